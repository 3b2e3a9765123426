/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/ocsp-timer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/launcher-client.h"
#include "bus/unit-activity.h"
#include "bus/unit-name.h"

/* One that is about to elapse may have done so already. */
#define SOON_USEC (2 * USEC_PER_SEC)

/* What it is set to, when that is no time of ours. */
#define SET_UNKNOWN UINT64_MAX
#define SET_EARLIER (UINT64_MAX - 1) /* by a manager before us */

struct OcspTimer {
        Manager *manager;
        uint64_t wanted_usec; /* 0: there is to be none */
        uint64_t set_usec;    /* what it was set to; 0: there is none */
        uint64_t asked_usec;  /* what the launcher is doing just now */
        sd_bus_slot *call;
        bool told; /* that it cannot be set */
        UnitActivityQuestion question;
};

static void go_on(OcspTimer *t);

static void on_launched(const char *unit, const sd_bus_error *error, void *userdata) {
        OcspTimer *t = userdata;

        t->call = sd_bus_slot_unref(t->call);
        if (!unit) {
                _auto_free_ char *why = bus_error_reason(error);

                if (!t->told)
                        log_error(UNIT_OCSP_TIMER " was not set: %s. The manager's own clock stands in as long as it runs.", str_or(why, "out of memory"));
                t->told = true;
                return;
        }
        t->told = false;
        t->set_usec = t->asked_usec;
        go_on(t);
}

static void go_on(OcspTimer *t) {
        sd_bus *bus = t->manager->bus;
        int r;

        if (t->call || t->set_usec == t->wanted_usec)
                return;
        if (t->wanted_usec == 0 && t->set_usec == SET_UNKNOWN) { /* not worth a launcher */
                ocsp_timer_check(t);
                return;
        }
        t->asked_usec = t->wanted_usec;
        r = t->wanted_usec > 0 ? launcher_arm_ocsp(bus, t->wanted_usec, &t->call, on_launched, t) : launcher_cancel(bus, UNIT_OCSP_TIMER, &t->call, on_launched, t);
        if (r < 0)
                (void) log_failure(r, "Cannot ask for " UNIT_OCSP_TIMER ": %m");
}

void ocsp_timer_set(OcspTimer *t, uint64_t when_usec) {
        t->wanted_usec = when_usec;
        go_on(t);
}

bool ocsp_timer_is_set_to(const OcspTimer *t, uint64_t when_usec) {
        return t->set_usec == when_usec;
}

static void on_activity(const UnitActivity *activity, void *userdata) {
        OcspTimer *t = userdata;

        if (!activity || t->call)
                return;
        if (t->wanted_usec == 0)
                t->set_usec = activity->active ? SET_EARLIER : 0;
        else if (!activity->active && t->wanted_usec > usec_add(clock_now_usec(), SOON_USEC)) {
                if (t->set_usec == t->wanted_usec)
                        log_warning(UNIT_OCSP_TIMER " was not there any more; it is set again.");
                t->set_usec = 0;
        }
        go_on(t);
}

void ocsp_timer_check(OcspTimer *t) {
        int r = t->call ? 0 : unit_activity_ask(t->manager->bus, UNIT_OCSP_TIMER, &t->question);

        if (r < 0)
                (void) log_failure(r, "Cannot ask systemd for " UNIT_OCSP_TIMER ": %m");
}

int ocsp_timer_new(Manager *m, OcspTimer **ret) {
        OcspTimer *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->manager = m;
        t->set_usec = SET_UNKNOWN;
        t->question = (UnitActivityQuestion){ .handler = on_activity, .userdata = t };
        *ret = t;
        return 0;
}

OcspTimer *ocsp_timer_free(OcspTimer *t) {
        if (!t)
                return NULL;
        unit_activity_drop(&t->question);
        sd_bus_slot_unref(t->call);
        free(t);
        return NULL;
}
