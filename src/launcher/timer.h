/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Transient timers: md-renew@NAME.timer, md-ocsp.timer, and md-reload.timer. */

#include "launcher/launcher.h"

#define TIMER_WHEN_MAX_USEC (UINT64_C(7258118399) * 1000000) /* the end of 2199: calendar events go no further */

/* A manager out of its mind fills systemd no further than this. */
enum {
        TIMERS_MAX = 1000,
        TIMER_CALENDAR_MAX = 256,
};

/* Asks systemd which timers of ours there are, and waits for the answer: at the start, and when there seem to be too many. */
int timers_count(Launcher *l);

/* Each begins a request; a negative return value means that none was begun, with *error set. */
int timer_arm(Launcher *l, sd_bus_message *call, const char *domain, uint64_t when_usec, sd_bus_error *error);
int timer_arm_ocsp(Launcher *l, sd_bus_message *call, uint64_t when_usec, sd_bus_error *error);
int timer_arm_reload(Launcher *l, sd_bus_message *call, const char *calendar, sd_bus_error *error);
int timer_or_hook_cancel(Launcher *l, sd_bus_message *call, const char *unit, sd_bus_error *error);
