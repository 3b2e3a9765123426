/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* org.mdmanager1.Worker: what a worker may ask. After Open() a connection is heard about its own job and nothing else. */

#include "manager/task.h"

int worker_bus_register(Manager *m);

/* Answers Open(). */
int worker_bus_reply_open(Task *t, sd_bus_message *open);
/* Has the worker's unit stopped, without following it. */
void worker_bus_stop_unit(Task *t);

/* For the files that stand beside it. */

/* What the calling connection has open; NULL: nothing, with *error set. Counts the call; one too many ends the task. */
Task *worker_bus_task(Manager *m, sd_bus_message *call, sd_bus_error *error);
int worker_bus_not_now(sd_bus_error *error, const char *text);
int worker_bus_append_text(sd_bus_message *m, const char *key, const char *value); /* one detail of Open(); NULL is "" */
int worker_bus_reply_signed(Task *t, sd_bus_message *call, const char *kind, const char *url, const char *nonce, sd_bus_error *error);
