/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* org.mdmanager1.Worker: what a worker may ask. Only for the unit that stands for the domain, run by the workers' user; after Open() a connection is
 * heard about its own job and nothing else. */

#include "manager/renewal.h"

int worker_bus_register(Manager *m);
void worker_bus_drop_opens(Manager *m); /* at shutdown */

/* Answers Open(). */
int worker_bus_reply_open(Renewal *r, sd_bus_message *open);
/* The key came: a finalize that waited is signed. May end the renewal. */
void worker_bus_key_ready(Renewal *r);
/* Has the worker's unit stopped, without following it. */
void worker_bus_stop_unit(Renewal *r);
