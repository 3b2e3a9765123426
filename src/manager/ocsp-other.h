/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Certificates that servers staple and no managed domain has: they are watched like others, and nobody but the administrator can replace them. */

#include "manager/fault-list.h"
#include "manager/ocsp.h"

/* Those that browsers refuse: revoked, or demanding stapling without a response. */
int ocsp_other_append_faults(const Ocsp *o, FaultList *l);

/* ListOtherStaplings() */
int ocsp_other_list(sd_bus_message *call, void *userdata, sd_bus_error *error);
