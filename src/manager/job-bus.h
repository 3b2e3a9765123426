/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* org.mdmanager1.Job at /org/mdmanager1/job/N: one for each renewal under way. */

#include "base/problem.h"
#include "manager/renewal.h"

int job_bus_register(Manager *m);
void job_bus_added(Renewal *r);
void job_bus_removed(Renewal *r);
void job_bus_changed(Renewal *r);
/* Signal Manager.JobRemoved; 'problem' NULL: it went well. */
void job_bus_ended(Renewal *r, const Problem *problem);
