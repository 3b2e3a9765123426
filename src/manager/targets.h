/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Certificates for other services: md-targets.service writes them, as root and by what root declares; the manager starts it when there is something new, hears what
 * became of it, tells, and has it tried again. */

#include "manager/domain.h"
#include "manager/fault-list.h"

typedef struct TargetStates TargetStates;

int targets_new(Manager *m, TargetStates **ret);
TargetStates *targets_free(TargetStates *t);

/* Something may be there to be written. */
void targets_want(Manager *m);

/* Method ReportTargets and property Targets of org.mdmanager1.Manager. */
int targets_bus_report(sd_bus_message *call, void *userdata, sd_bus_error *error);
int targets_bus_append(sd_bus_message *reply, const TargetStates *t);
/* Those that failed, as GetFaults() answers. */
int targets_append_faults(FaultList *l, const TargetStates *t);
