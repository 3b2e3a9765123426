/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The part of org.mdmanager1.Worker that is about the order of a renewal. */

#include "manager/renewal.h"

/* Details of Open(). */
int worker_order_describe(Task *t, sd_bus_message *details);

/* Methods */
int worker_order_created(sd_bus_message *call, void *userdata, sd_bus_error *error);
int worker_order_refused(sd_bus_message *call, void *userdata, sd_bus_error *error);
int worker_order_gone(sd_bus_message *call, void *userdata, sd_bus_error *error);
int worker_order_set_up_challenge(sd_bus_message *call, void *userdata, sd_bus_error *error);
int worker_order_set_up_persistent(sd_bus_message *call, void *userdata, sd_bus_error *error);
int worker_order_record_seen(sd_bus_message *call, void *userdata, sd_bus_error *error);
int worker_order_deliver(sd_bus_message *call, void *userdata, sd_bus_error *error);

/* There is an order, made with the directory that we know. */
bool worker_order_is_bound(const Renewal *r);
/* Sign("finalize") whose key is still in the making: answered with the key. 'r' NULL: it makes no sense. */
int worker_order_wait_for_key(Renewal *r, sd_bus_message *call, const char *nonce, sd_bus_error *error);
/* The key came: a finalize that waited is signed. May end the renewal. */
void worker_order_key_ready(Renewal *r);
/* Another account takes the rejected one's place: its order is of no use. 'r' may be NULL. */
void worker_order_account_changed(Renewal *r);
