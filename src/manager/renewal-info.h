/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Asking CAs when they want their certificates to be renewed (RFC 9773): one clock for all, light worker runs that ask for many certificates at once, and what
 * is made of the answers. The records are in the jobs (domain/job.h). */

#include "manager/domain.h"

int renewal_info_new(Manager *m, RenewalInfo **ret);
RenewalInfo *renewal_info_free(RenewalInfo *i);

/* The live certificates may be others, or the settings: makes the records fit, and has new ones asked for. */
void renewal_info_update(Domain *d);

/* Methods of org.mdmanager1.Worker. */
int renewal_info_received(sd_bus_message *call, void *userdata, sd_bus_error *error);
int renewal_info_failed(sd_bus_message *call, void *userdata, sd_bus_error *error);
