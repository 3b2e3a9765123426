/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/timer-check.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "bus/unit-name.h"
#include "manager/domain.h"
#include "manager/schedule.h"

/* One that is about to elapse may have done so already. */
#define SOON_USEC (2 * USEC_PER_SEC)

struct TimerCheck {
        Manager *manager;
        sd_bus_slot *call;
};

static int read_units(sd_bus_message *m, Map *units) {
        const char *unit;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(ssssssouso)", &unit, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) > 0) {
                r = map_put(units, unit, units);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        return r;
}

static void look_at(Domain *d, const Map *units) {
        _auto_free_ char *unit = unit_name_for_renewal(DOMAIN_NAME(d), ".timer");
        LogField fields[] = { { "MD_NAME", DOMAIN_NAME(d) }, { "MD_UNIT", unit } };

        if (!unit || map_get(units, unit))
                return;
        log_full(LOG_WARNING, 0, NULL, fields, ELEMENTSOF(fields), "%s: Its timer %s was not there any more; it is set again.", DOMAIN_NAME(d), unit);
        d->armed_usec = 0;
        schedule_update(d->manager->schedule, d);
}

/* Only what was set when systemd was asked, and is not another one since. */
static void look_at_all(Manager *m, const Map *units) {
        uint64_t soon = usec_add(clock_now_usec(), SOON_USEC);
        const char *name;
        Domain *d;

        MAP_FOREACH(m->domains, name, d)
                if (d->checked_usec != 0 && d->checked_usec == d->armed_usec && d->armed_usec > soon)
                        look_at(d, units);
}

static int on_units(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        TimerCheck *c = userdata;
        _auto_map_ Map *units = map_new();
        int r = units ? 0 : -ENOMEM;

        c->call = sd_bus_slot_unref(c->call);
        if (sd_bus_message_is_method_error(m, NULL)) {
                log_warning("Cannot ask systemd for the timers: %s", str_or(sd_bus_message_get_error(m)->message, "no reason given"));
                return 0;
        }
        if (r == 0)
                r = read_units(m, units);
        if (r < 0)
                (void) log_failure(r, "Cannot read which timers there are: %m");
        else
                look_at_all(c->manager, units);
        return 0;
}

int timer_check_new(Manager *m, TimerCheck **ret) {
        TimerCheck *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        c->manager = m;
        *ret = c;
        return 0;
}

TimerCheck *timer_check_free(TimerCheck *c) {
        if (!c)
                return NULL;
        sd_bus_slot_unref(c->call);
        free(c);
        return NULL;
}

static int ask(TimerCheck *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->manager->bus, &m, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "ListUnitsByPatterns");
        if (r >= 0)
                r = sd_bus_message_append(m, "asas", 1, "active", 1, UNIT_RENEW_PREFIX "*.timer");
        return r < 0 ? r : sd_bus_call_async(c->manager->bus, &c->call, m, on_units, c, 0);
}

void timer_check_look(TimerCheck *c) {
        const char *name;
        Domain *d;
        int r;

        if (!c || c->call)
                return;
        MAP_FOREACH(c->manager->domains, name, d)
                d->checked_usec = d->armed_usec;
        r = ask(c);
        if (r < 0)
                (void) log_failure(r, "Cannot ask systemd for the timers: %m");
}
