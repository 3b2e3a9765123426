/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"

/* The reply names the job, JobRemoved its end. One that comes before the reply is kept here: job and result in turn. */
enum { EARLY_MAX = 2 * 16 };

struct UnitCall {
        char *unit;
        char *job; /* NULL: systemd has not answered yet */
        char **early;
        sd_bus_slot *match;
        sd_bus_slot *request;
        sd_event_source *deadline;
        UnitHandler handler;
        void *userdata;
};

DEFINE_CLEANUP(UnitCall *, unit_call_free)

static const char *const verb_methods[] = {
        [UNIT_START] = "StartUnit",
        [UNIT_STOP] = "StopUnit",
        [UNIT_RELOAD] = "ReloadUnit",
};

/* After this nothing more happens to the call. */
static void disarm(UnitCall *call) {
        call->match = sd_bus_slot_unref(call->match);
        call->request = sd_bus_slot_unref(call->request);
        call->deadline = sd_event_source_disable_unref(call->deadline);
}

UnitCall *unit_call_free(UnitCall *call) {
        if (!call)
                return NULL;

        disarm(call);
        strv_free(call->early);
        free(call->job);
        free(call->unit);
        free(call);
        return NULL;
}

const char *unit_call_unit(const UnitCall *call) {
        return call->unit;
}

/* The handler may free the call: the caller returns at once. */
static void finish(UnitCall *call, const char *result, const sd_bus_error *error) {
        disarm(call);
        call->handler(call, result, error, call->userdata);
}

static void finish_errno(UnitCall *call, int error) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

        (void) sd_bus_error_set_errno(&e, error);
        finish(call, NULL, &e);
}

static void forget_oldest(UnitCall *call) {
        free(call->early[0]);
        free(call->early[1]);
        memmove(call->early, call->early + 2, (strv_length(call->early + 2) + 1) * sizeof(char *));
}

static int remember_early(UnitCall *call, const char *job, const char *result) {
        int r;

        if (strv_length(call->early) >= EARLY_MAX)
                forget_oldest(call);
        r = strv_extend(&call->early, job);
        if (r < 0)
                return r;
        return strv_extend(&call->early, result);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        UnitCall *call = userdata;
        const char *job, *result;
        int r;

        /* The unit is not compared: asked for by an alias, it is told by its own name. */
        r = sd_bus_message_read(m, "uoss", NULL, &job, NULL, &result);
        if (r < 0)
                return 0; /* not systemd as we know it; the deadline ends this */

        if (!call->job) {
                r = remember_early(call, job, result);
                if (r < 0)
                        finish_errno(call, r);
        } else if (str_equal(job, call->job))
                finish(call, result, NULL);
        return 0;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _auto_strv_ char **early = NULL;
        UnitCall *call = userdata;
        const char *job;
        int r;

        if (sd_bus_message_is_method_error(m, NULL)) {
                finish(call, NULL, sd_bus_message_get_error(m));
                return 0;
        }

        r = sd_bus_message_read(m, "o", &job);
        if (r >= 0)
                r = str_replace(&call->job, job);
        if (r < 0) {
                finish_errno(call, r);
                return 0;
        }

        early = take_ptr(call->early); /* outlives the call */
        for (char **e = early; e && e[0] && e[1]; e += 2)
                if (str_equal(e[0], job)) {
                        finish(call, e[1], NULL);
                        return 0;
                }
        return 0;
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata) {
        finish(userdata, "timeout", NULL);
        return 0;
}

static int arm_deadline(UnitCall *call, sd_bus *bus, uint64_t timeout_usec) {
        sd_event *event = sd_bus_get_event(bus);

        if (timeout_usec == 0)
                return 0;
        if (!event)
                return -ENOTCONN;
        return sd_event_add_time_relative(event, &call->deadline, CLOCK_MONOTONIC, timeout_usec, 100 * USEC_PER_MSEC, on_deadline, call);
}

int unit_call_send(sd_bus *bus, sd_bus_message *m, const char *unit, uint64_t timeout_usec, UnitHandler handler, void *userdata, UnitCall **ret) {
        _cleanup_(unit_call_freep) UnitCall *call = NULL;
        int r;

        assert(bus);
        assert(m);
        assert(unit);
        assert(handler);
        assert(ret);

        call = calloc(1, sizeof(*call));
        if (!call)
                return -ENOMEM;
        call->handler = handler;
        call->userdata = userdata;

        r = str_replace(&call->unit, unit);
        if (r < 0)
                return r;

        /* The bus takes messages of one connection in their order, so the match stands before systemd hears of us. */
        r = sd_bus_match_signal_async(bus, &call->match, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "JobRemoved", on_job_removed, NULL, call);
        if (r < 0)
                return r;
        r = sd_bus_call_async(bus, &call->request, m, on_reply, call, 0);
        if (r < 0)
                return r;
        r = arm_deadline(call, bus, timeout_usec);
        if (r < 0)
                return r;

        *ret = take_ptr(call);
        return 0;
}

int unit_call_new(sd_bus *bus, UnitVerb verb, const char *unit, uint64_t timeout_usec, UnitHandler handler, void *userdata, UnitCall **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        assert(bus);
        assert((size_t) verb < ELEMENTSOF(verb_methods));
        assert(unit);

        r = sd_bus_message_new_method_call(bus, &m, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, verb_methods[verb]);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "ss", unit, "replace");
        if (r < 0)
                return r;
        return unit_call_send(bus, m, unit, timeout_usec, handler, userdata, ret);
}

/* Which unit a process is in. */

typedef struct UnitOfPid {
        UnitOfPidHandler handler;
        void *userdata;
        void (*destroy)(void *userdata);
} UnitOfPid;

static void unit_of_pid_destroy(void *userdata) {
        UnitOfPid *q = userdata;

        if (q->destroy)
                q->destroy(q->userdata);
        free(q);
}

static int on_unit_path(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _auto_free_ char *unit = NULL;
        UnitOfPid *q = userdata;
        const char *path;
        int r;

        if (sd_bus_message_is_method_error(m, NULL)) {
                q->handler(NULL, sd_bus_message_get_error(m), q->userdata);
                return 0;
        }

        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                r = sd_bus_path_decode(path, BUS_SYSTEMD_PATH "/unit", &unit);
        if (r == 0)
                r = -EBADMSG;
        if (r < 0) {
                (void) sd_bus_error_set_errno(&e, r);
                q->handler(NULL, &e, q->userdata);
                return 0;
        }

        q->handler(unit, NULL, q->userdata);
        return 0;
}

int unit_of_pid(sd_bus *bus, pid_t pid, sd_bus_slot **ret_slot, UnitOfPidHandler handler, void *userdata, void (*destroy)(void *userdata)) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        _auto_free_ UnitOfPid *q = NULL;
        int r;

        assert(bus);
        assert(pid > 0);
        assert(ret_slot);
        assert(handler);

        q = malloc(sizeof(*q));
        if (!q)
                return -ENOMEM;
        *q = (UnitOfPid) { .handler = handler, .userdata = userdata, .destroy = destroy };

        r = sd_bus_call_method_async(bus, &slot, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "GetUnitByPID", on_unit_path, q, "u", (uint32_t) pid);
        if (r < 0)
                return r;
        r = sd_bus_slot_set_destroy_callback(slot, unit_of_pid_destroy);
        if (r < 0)
                return r;

        take_ptr(q);
        *ret_slot = take_ptr(slot);
        return 0;
}

/* Subscription */

static int subscribe(sd_bus *bus) {
        return sd_bus_call_method_async(bus, NULL, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "Subscribe", NULL, NULL, NULL);
}

static int on_systemd_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *new_owner;
        int r;

        r = sd_bus_message_read(m, "sss", NULL, NULL, &new_owner);
        if (r < 0 || str_is_empty(new_owner))
                return 0;
        /* Already subscribed is an error nobody reads. */
        return subscribe(sd_bus_message_get_bus(m));
}

int unit_subscribe(sd_bus *bus) {
        int r;

        assert(bus);

        r = sd_bus_add_match_async(bus, NULL,
                                   "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                                   "member='NameOwnerChanged',arg0='" BUS_SYSTEMD_NAME "'",
                                   on_systemd_owner, NULL, NULL);
        if (r < 0)
                return r;
        r = subscribe(bus);
        return r < 0 ? r : 0;
}
