/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* outbox/NAME/outbox.json: what the hooks of a domain are still to be told (domain/outbox.h). Role MANAGER. */

#include "domain/outbox.h"
#include "store/store.h"

enum {
        STORE_OUTBOX_DONE,
        STORE_OUTBOX_E_NOT_FOUND, /* there is none; from the writer: outbox/ is missing and cannot be made */
        STORE_OUTBOX_E_DAMAGED,   /* there is something else */
};

/* The domains that have one, sorted. */
int store_outbox_list(Store *s, char ***ret_names);
/* *ret is set in each of the three cases, to an empty one if need be. */
int store_outbox_read(Store *s, const char *name, Outbox **ret);
/* Durable. -EINVAL: no name. */
int store_outbox_write(Store *s, const Outbox *o);
int store_outbox_remove(Store *s, const char *name); /* not found is done */
