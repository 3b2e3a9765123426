/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* OCSP responses for what servers staple: when each is due, with one clock for all; one unit that fetches what is; what its worker may ask. */

#include <systemd/sd-bus.h>

#include "manager/domain.h"
#include "store/ocsp.h"

typedef struct Ocsp Ocsp;

#define OCSP_UNIT "md-ocsp.service"

int ocsp_new(Manager *m, Ocsp **ret);
Ocsp *ocsp_free(Ocsp *o);

/* After a change of the snapshots, or a look at everything: what is offered is kept up to date, and nothing else. */
void ocsp_update(Ocsp *o);

/* A complete set lies in staging and is to become live. Until when that has to wait for OCSP responses, because its certificates demand stapling; 0: it need
 * not. What they need is asked for; the domain is looked at again when it is there. */
uint64_t ocsp_hold_activation(Ocsp *o, Domain *d);

/* What is known of a certificate; NULL: nothing is stapled for it. */
const StoreStaple *ocsp_find(const Ocsp *o, const char *serial);
/* When the next one is asked for; 0: none is. */
uint64_t ocsp_next_usec(const Ocsp *o);

/* Open() from the unit above; the worker's methods. */
void ocsp_open(Manager *m, sd_bus_message *open);
int ocsp_worker_next(sd_bus_message *call, void *userdata, sd_bus_error *error);
int ocsp_worker_response(sd_bus_message *call, void *userdata, sd_bus_error *error);
int ocsp_worker_failed(sd_bus_message *call, void *userdata, sd_bus_error *error);
