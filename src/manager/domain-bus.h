/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* org.mdmanager1.Domain at /org/mdmanager1/domain/ESCAPED. */

#include "manager/domain.h"

int domain_bus_register(Manager *m);
void domain_bus_removed(Domain *d);
/* Tells the bus of a domain: that it is there, when it was not told yet, otherwise what changed. */
void domain_bus_changed(Domain *d);

/* Renew() of both interfaces. */
int domain_bus_renew(Domain *d, bool force, sd_bus_message *call, sd_bus_error *error);

/* Structures as in property Certificates. */
int domain_bus_append_certificates(sd_bus_message *reply, const CertFactsList *facts);
