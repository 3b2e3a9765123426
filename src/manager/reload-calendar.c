/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/reload-calendar.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/launcher-client.h"
#include "bus/names.h"
#include "bus/unit-activity.h"
#include "bus/unit-name.h"

#define RETRY_USEC (30 * USEC_PER_SEC)

struct ReloadCalendar {
        Manager *manager;
        bool refused; /* systemd makes nothing of it */
        char *why;    /* it cannot be set */
        sd_bus_slot *call;
        sd_event_source *retry;
        UnitActivityQuestion question;
};

static const char *times_of(const ReloadCalendar *c) {
        return c->manager->settings.reload_on_calendar;
}

bool reload_calendar_is_used(const ReloadCalendar *c) {
        return c && times_of(c) && !c->refused;
}

char *reload_calendar_fault(const ReloadCalendar *c) {
        if (!c || !c->why)
                return NULL;
        if (c->refused)
                return str_printf("md-manager.conf: 'ReloadOnCalendar=%s' makes no sense to systemd (%s): servers are reloaded when there is something to reload them for", times_of(c),
                                  c->why);
        return str_printf(UNIT_RELOAD_TIMER " is not set: %s", c->why);
}

static void arm(ReloadCalendar *c);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        ReloadCalendar *c = userdata;

        c->retry = sd_event_source_disable_unref(c->retry);
        arm(c);
        return 0;
}

static void retry_later(ReloadCalendar *c) {
        c->retry = sd_event_source_disable_unref(c->retry);
        (void) sd_event_add_time_relative(c->manager->event, &c->retry, CLOCK_MONOTONIC, RETRY_USEC, 0, on_retry, c);
}

static void on_armed(const char *unit, const sd_bus_error *error, void *userdata) {
        ReloadCalendar *c = userdata;
        _auto_free_ char *why = bus_error_reason(error);

        c->call = sd_bus_slot_unref(c->call);
        if (unit) {
                free(take_ptr(c->why));
                return;
        }
        if (sd_bus_error_has_name(error, BUS_ERROR_INVALID) || sd_bus_error_has_name(error, SD_BUS_ERROR_INVALID_ARGS)) {
                _auto_free_ char *fault = NULL;

                c->refused = true;
                free(c->why);
                c->why = take_ptr(why);
                fault = reload_calendar_fault(c);
                log_error("%s.", str_or(fault, "out of memory"));
                manager_kick(c->manager); /* what waits for it need not */
                return;
        }
        if (!c->why)
                log_error(UNIT_RELOAD_TIMER " was not set: %s. It is tried again; until then only what is urgent has servers reloaded.", str_or(why, "out of memory"));
        free(c->why);
        c->why = take_ptr(why);
        retry_later(c);
}

static void arm(ReloadCalendar *c) {
        int r;

        if (c->call || !times_of(c) || c->refused)
                return;
        r = launcher_arm_reload(c->manager->bus, times_of(c), &c->call, on_armed, c);
        if (r < 0) {
                (void) log_failure(r, "Cannot ask for " UNIT_RELOAD_TIMER ": %m");
                retry_later(c);
        }
}

static void on_cancelled(const char *unit, const sd_bus_error *error, void *userdata) {
        ReloadCalendar *c = userdata;

        c->call = sd_bus_slot_unref(c->call);
        if (!unit)
                log_warning(UNIT_RELOAD_TIMER " is not wanted any more, and could not be taken back: %s", error && error->message ? error->message : "no reason given");
}

static void on_activity(const UnitActivity *activity, void *userdata) {
        ReloadCalendar *c = userdata;
        int r;

        if (!activity || activity->active == reload_calendar_is_used(c) || c->call)
                return;
        if (!activity->active) {
                log_warning(UNIT_RELOAD_TIMER " was not there; it is set again.");
                arm(c);
                return;
        }
        r = launcher_cancel(c->manager->bus, UNIT_RELOAD_TIMER, &c->call, on_cancelled, c);
        if (r < 0)
                (void) log_failure(r, "Cannot ask for the end of " UNIT_RELOAD_TIMER ": %m");
}

void reload_calendar_check(ReloadCalendar *c) {
        int r = c && !c->call ? unit_activity_ask(c->manager->bus, UNIT_RELOAD_TIMER, &c->question) : 0;

        if (r < 0)
                (void) log_failure(r, "Cannot ask systemd for " UNIT_RELOAD_TIMER ": %m");
}

int reload_calendar_new(Manager *m, ReloadCalendar **ret) {
        ReloadCalendar *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        c->manager = m;
        c->question = (UnitActivityQuestion){ .handler = on_activity, .userdata = c };
        *ret = c;
        if (times_of(c))
                arm(c); /* anew: what it says may have been changed */
        else
                reload_calendar_check(c);
        return 0;
}

ReloadCalendar *reload_calendar_free(ReloadCalendar *c) {
        if (!c)
                return NULL;
        unit_activity_drop(&c->question);
        sd_bus_slot_unref(c->call);
        sd_event_source_disable_unref(c->retry);
        free(c->why);
        free(c);
        return NULL;
}
