/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* org.mdmanager1.Job at /org/mdmanager1/job/N: one for each task under way. */

#include "base/problem.h"
#include "manager/task.h"

int job_bus_register(Manager *m);
void job_bus_added(Task *t);
void job_bus_removed(Task *t);
void job_bus_changed(Task *t);
/* Signal Manager.JobRemoved; 'problem' NULL: it went well. */
void job_bus_ended(Task *t, const Problem *problem);
