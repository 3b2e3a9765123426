/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/timer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "bus/unit-name.h"
#include "launcher/request.h"

/* systemd takes no second timer of a name, and a transient unit cannot be changed. So: try; when the name is taken, stop what has it, which unloads it, and try again. */

#define ERROR_UNIT_EXISTS "org.freedesktop.systemd1.UnitExists"
#define ERROR_NO_SUCH_UNIT "org.freedesktop.systemd1.NoSuchUnit"

#define STEP_TIMEOUT_USEC (20 * USEC_PER_SEC)
enum { ATTEMPTS_MAX = 5 };

/* A calendar event that has passed when systemd comes to read it never elapses. What is this near is armed relative to the timer's own start. */
#define NEAR_USEC (10 * USEC_PER_SEC)
#define SOONEST_USEC USEC_PER_SEC

static int append_property_string(sd_bus_message *m, const char *name, const char *value) {
        return sd_bus_message_append(m, "(sv)", name, "s", value);
}

static int append_elapse(sd_bus_message *m, uint64_t when_usec) {
        char calendar[32];
        uint64_t now = clock_now_usec();

        if (when_usec <= usec_add(now, NEAR_USEC))
                return sd_bus_message_append(m, "(sv)", "TimersMonotonic", "a(st)", 1, "OnActiveSec", MAX_OF(usec_sub(when_usec, now), SOONEST_USEC));

        /* Whole seconds, and not too early. */
        snprintf(calendar, sizeof(calendar), "@%" PRIu64, usec_round_up(when_usec) / USEC_PER_SEC);
        return sd_bus_message_append(m, "(sv)", "TimersCalendar", "a(ss)", 1, "OnCalendar", calendar);
}

/* It elapses again and again. */
static int append_reload_properties(sd_bus_message *m, const Request *q) {
        int r;

        r = append_property_string(m, "Description", "Reload of web servers for new certificates (ReloadOnCalendar=)");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "(sv)", "TimersCalendar", "a(ss)", 1, "OnCalendar", q->calendar);
        if (r < 0)
                return r;
        return sd_bus_message_append(m, "(sv)", "AccuracyUSec", "t", (uint64_t) USEC_PER_SEC);
}

static int append_properties(sd_bus_message *m, const Request *q) {
        _auto_free_ char *description = NULL;
        int r;

        if (q->calendar)
                return append_reload_properties(m, q);
        description = q->domain ? str_printf("Renewal of the certificate of %s", q->domain) : strdup("Next fetching of OCSP responses and CRLs");
        if (!description)
                return -ENOMEM;

        r = append_property_string(m, "Description", description);
        if (r < 0)
                return r;
        r = append_elapse(m, q->when_usec);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "(sv)", "AccuracyUSec", "t", (uint64_t) (100 * USEC_PER_MSEC));
        if (r < 0)
                return r;
        /* Gone when it has elapsed, and also when it cannot start what it is there for. */
        r = sd_bus_message_append(m, "(sv)", "RemainAfterElapse", "b", 0);
        if (r < 0)
                return r;
        return append_property_string(m, "CollectMode", "inactive-or-failed");
}

static int start_message(const Request *q, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(q->launcher->bus, &m, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "StartTransientUnit");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "ss", q->unit, "replace");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r < 0)
                return r;
        r = append_properties(m, q);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r < 0)
                return r;

        *ret = take_ptr(m);
        return 0;
}

static void on_started(UnitCall *job, const char *result, const sd_bus_error *error, void *userdata);
static void on_stopped(UnitCall *job, const char *result, const sd_bus_error *error, void *userdata);

static int start(Request *q) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = start_message(q, &m);
        if (r < 0)
                return r;
        q->job = unit_call_free(q->job);
        return unit_call_send(q->launcher->bus, m, q->unit, STEP_TIMEOUT_USEC, on_started, q, &q->job);
}

static int stop(Request *q) {
        q->job = unit_call_free(q->job);
        return unit_call_new(q->launcher->bus, UNIT_STOP, q->unit, STEP_TIMEOUT_USEC, on_stopped, q, &q->job);
}

static void on_started(UnitCall *job, const char *result, const sd_bus_error *error, void *userdata) {
        Request *q = userdata;
        int r;

        if (str_equal(result, "done"))
                request_succeed(q);
        else if (result)
                request_fail_with(q, BUS_ERROR_FAILED, "Starting it ended with \"%s\".", result);
        else if (!sd_bus_error_has_name(error, ERROR_UNIT_EXISTS))
                request_fail(q, error);
        else if (++q->attempts >= ATTEMPTS_MAX)
                request_fail_with(q, BUS_ERROR_FAILED, "A unit of this name is there and does not go away: is it a unit file, or does another unit need it?");
        else {
                r = stop(q);
                if (r < 0)
                        request_fail_errno(q, r);
        }
}

static void on_stopped(UnitCall *job, const char *result, const sd_bus_error *error, void *userdata) {
        Request *q = userdata;
        int r;

        if (!result && !sd_bus_error_has_name(error, ERROR_NO_SUCH_UNIT)) {
                request_fail(q, error);
                return;
        }

        r = start(q);
        if (r < 0)
                request_fail_errno(q, r);
}

/* How many there are */

static int read_timers(sd_bus_message *m, Map *timers) {
        const char *unit;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(ssssssouso)", &unit, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) > 0) {
                r = map_put(timers, unit, timers);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        return r;
}

int timers_count(Launcher *l) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _auto_map_ Map *timers = map_new();
        int r;

        if (!timers)
                return -ENOMEM;
        r = sd_bus_message_new_method_call(l->bus, &m, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "ListUnitsByPatterns");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "asas", 1, "active", 1, UNIT_RENEW_PREFIX "*.timer");
        if (r < 0)
                return r;
        r = sd_bus_call(l->bus, m, STEP_TIMEOUT_USEC, &error, &reply);
        if (r < 0)
                return log_failure(r, "Cannot count the timers: %s", str_or(error.message, "no reason given"));
        r = read_timers(reply, timers);
        if (r < 0)
                return r;

        map_free(l->timers);
        l->timers = take_ptr(timers);
        return 0;
}

/* Those that have elapsed are still in our list: looked at again before anybody is refused. */
static int make_room(Launcher *l, const char *unit, sd_bus_error *error) {
        int r;

        if (map_get(l->timers, unit))
                return 0;
        if (map_size(l->timers) >= TIMERS_MAX) {
                r = timers_count(l);
                if (r < 0)
                        return r;
        }
        if (map_size(l->timers) >= TIMERS_MAX)
                return sd_bus_error_setf(error, BUS_ERROR_BUSY, "There are %d timers already.", TIMERS_MAX);
        return map_put(l->timers, unit, l);
}

static int check_time(uint64_t when_usec, sd_bus_error *error) {
        if (when_usec > TIMER_WHEN_MAX_USEC)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This time is too far in the future.");
        return 0;
}

int timer_arm(Launcher *l, sd_bus_message *call, const char *domain, uint64_t when_usec, sd_bus_error *error) {
        _cleanup_(request_freep) Request *q = NULL;
        int r;

        r = check_time(when_usec, error);
        if (r < 0)
                return r;
        r = request_new(l, call, unit_name_for_renewal(domain, ".timer"), &q);
        if (r < 0)
                return r;
        r = make_room(l, q->unit, error);
        if (r < 0)
                return r;
        q->when_usec = when_usec;
        r = str_replace(&q->domain, domain);
        if (r < 0)
                return r;
        r = start(q);
        if (r < 0)
                return r;

        take_ptr(q);
        return 0;
}

int timer_arm_ocsp(Launcher *l, sd_bus_message *call, uint64_t when_usec, sd_bus_error *error) {
        _cleanup_(request_freep) Request *q = NULL;
        int r;

        r = check_time(when_usec, error);
        if (r < 0)
                return r;
        r = request_new(l, call, strdup(UNIT_OCSP_TIMER), &q);
        if (r < 0)
                return r;
        q->when_usec = when_usec;
        r = start(q);
        if (r < 0)
                return r;

        take_ptr(q);
        return 0;
}

int timer_arm_reload(Launcher *l, sd_bus_message *call, const char *calendar, sd_bus_error *error) {
        _cleanup_(request_freep) Request *q = NULL;
        int r;

        if (str_is_empty(calendar) || strlen(calendar) > TIMER_CALENDAR_MAX)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no calendar event.");

        r = request_new(l, call, strdup(UNIT_RELOAD_TIMER), &q);
        if (r < 0)
                return r;
        r = str_replace(&q->calendar, calendar);
        if (r < 0)
                return r;
        r = start(q);
        if (r < 0)
                return r;

        take_ptr(q);
        return 0;
}

/* Cancel */

static void on_cancelled(UnitCall *job, const char *result, const sd_bus_error *error, void *userdata) {
        Request *q = userdata;

        if (result || sd_bus_error_has_name(error, ERROR_NO_SUCH_UNIT)) {
                (void) map_remove(q->launcher->timers, q->unit);
                request_succeed(q);
        } else
                request_fail(q, error);
}

static bool is_ours(const char *unit) {
        if (!unit_name_is_valid(unit))
                return false;
        return str_equal(unit, UNIT_RELOAD_TIMER) || str_equal(unit, UNIT_OCSP_TIMER) || (str_has_prefix(unit, UNIT_RENEW_PREFIX) && str_has_suffix(unit, ".timer")) ||
               (str_has_prefix(unit, UNIT_HOOK_PREFIX) && str_has_suffix(unit, ".service"));
}

int timer_or_hook_cancel(Launcher *l, sd_bus_message *call, const char *unit, sd_bus_error *error) {
        _cleanup_(request_freep) Request *q = NULL;
        int r;

        if (!is_ours(unit))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "Only " UNIT_RELOAD_TIMER ", " UNIT_OCSP_TIMER ", timers " UNIT_RENEW_PREFIX "… and services " UNIT_HOOK_PREFIX "… can be cancelled here.");

        r = request_new(l, call, strdup(unit), &q);
        if (r < 0)
                return r;
        r = unit_call_new(l->bus, UNIT_STOP, unit, STEP_TIMEOUT_USEC, on_cancelled, q, &q->job);
        if (r < 0)
                return r;

        take_ptr(q);
        return 0;
}
