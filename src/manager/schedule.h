/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Decisions to timers: the nearest renewals have a transient timer each (systemctl list-timers shows them), one clock of our own stands
 * behind all of them, and the static md-manager-check.timer behind that. */

#include "manager/domain.h"

int schedule_new(Manager *m, Schedule **ret);
Schedule *schedule_free(Schedule *s);

/* d->wanted_usec changed (0: none is wanted). Acts in the next round of the loop, for all together. */
void schedule_update(Schedule *s, Domain *d);
/* The domain goes away. */
void schedule_remove(Schedule *s, Domain *d);

/* A name that is no domain any more may have a timer from an earlier run. */
void schedule_clear(Schedule *s, const char *name);

/* Why the domain has no timer unit, although it is to have one; borrowed. NULL: it has, or needs none. It is tried again after two seconds, then twice as long each time, at most a minute. */
const char *schedule_trouble(const Schedule *s, const Domain *d);
/* Now. */
void schedule_retry(Schedule *s);

/* The earliest, for the status; NULL: none. */
const Domain *schedule_next(const Schedule *s);
