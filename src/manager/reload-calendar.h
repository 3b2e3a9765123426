/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* ReloadOnCalendar=: md-reload.timer, a transient timer that the launcher makes, and that starts md-reload.service at these times, which calls ReloadPlanned(). */

#include "manager/manager.h"

typedef struct ReloadCalendar ReloadCalendar;

/* Sets the timer; takes back one that was set by other settings. */
int reload_calendar_new(Manager *m, ReloadCalendar **ret);
ReloadCalendar *reload_calendar_free(ReloadCalendar *c);

/* Whether reloads wait for it: not, when systemd makes nothing of what ReloadOnCalendar= says, which is told. */
bool reload_calendar_is_used(const ReloadCalendar *c);
/* For people, what is wrong with it; NULL: nothing. */
char *reload_calendar_fault(const ReloadCalendar *c);
/* Sees whether the timer is there, and sets it again when it is not. */
void reload_calendar_check(ReloadCalendar *c);
