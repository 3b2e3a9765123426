/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What servers say that they serve is looked at: md-served.service makes a TLS connection to each of their listeners with each name, and tells which certificate it
 * was shown. Only what is new is looked at; a difference is told, looked at again, and may in the end have the server restarted. */

#include <systemd/sd-bus.h>

#include "manager/domain.h"

typedef struct Served Served;

#define SERVED_UNIT "md-served.service"

int served_new(Manager *m, Served **ret);
Served *served_free(Served *s);

/* Something of the domain changed: what has not been seen yet is looked at, once the servers say that they serve it. */
void served_update(Served *s, Domain *d);
/* Something may have been mended: what was wrong is looked at again now. */
void served_retry(Served *s);
void served_forget(Served *s, const char *name);

/* What was seen instead of the newest certificates; NULL: nothing of that kind. */
const Problem *served_difference(const Served *s, const Domain *d);

/* Open() from the unit above; the worker's methods. */
void served_open(Manager *m, sd_bus_message *open);
int served_worker_next(sd_bus_message *call, void *userdata, sd_bus_error *error);
int served_worker_seen(sd_bus_message *call, void *userdata, sd_bus_error *error);
