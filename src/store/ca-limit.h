/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* accounts/limits.json: which CAs are to be left alone (domain/ca-limit.h). Role MANAGER. */

#include "domain/ca-limit.h"
#include "store/store.h"

enum {
        STORE_CA_LIMIT_DONE,
        STORE_CA_LIMIT_E_NOT_FOUND, /* there is none; from the writer: accounts/ is missing and cannot be made */
        STORE_CA_LIMIT_E_DAMAGED,   /* there is something else */
};

int store_ca_limits_read(Store *s, uint64_t now_usec, CaLimits *ret);
/* Durable. */
int store_ca_limits_write(Store *s, const CaLimits *limits, uint64_t now_usec);
