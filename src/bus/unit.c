/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/names.h"

/* The reply names the job, JobRemoved its end. One match for each connection, made by unit_subscribe(), serves all calls on it: the bus counts matches. A
 * JobRemoved that comes before the reply is kept. Anybody may send us a signal that looks like systemd's: the one that counts comes from the connection that
 * answered the call. */
enum { EARLY_MAX = 64 };

typedef struct Early {
        char *systemd, *job, *result;
} Early;

typedef struct Watch {
        struct Watch *next;
        sd_bus *bus; /* borrowed: the watch goes with it */
        UnitCall *calls; /* under way */
        Early early[EARLY_MAX];
        size_t n_early; /* ever; the last ones are kept */
} Watch;

/* One for each connection. Programs have one. */
static Watch *watches;

struct UnitCall {
        UnitCall *next;
        Watch *watch; /* NULL: over */
        char *unit;
        char *job; /* NULL: systemd has not answered yet */
        char *systemd; /* the unique name that answered */
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
        [UNIT_RESTART] = "RestartUnit",
};

static Watch *find_watch(sd_bus *bus) {
        for (Watch *w = watches; w; w = w->next)
                if (w->bus == bus)
                        return w;
        return NULL;
}

static void leave_watch(UnitCall *call) {
        if (!call->watch)
                return;
        for (UnitCall **c = &call->watch->calls; *c; c = &(*c)->next)
                if (*c == call) {
                        *c = call->next;
                        break;
                }
        call->watch = NULL;
}

static void early_done(Early *e) {
        free(e->systemd);
        free(e->job);
        free(e->result);
        *e = (Early) {};
}

static void watch_destroy(void *userdata) {
        Watch *watch = userdata;

        for (Watch **w = &watches; *w; w = &(*w)->next)
                if (*w == watch) {
                        *w = watch->next;
                        break;
                }
        while (watch->calls)
                leave_watch(watch->calls);
        for (size_t i = 0; i < EARLY_MAX; i++)
                early_done(&watch->early[i]);
        free(watch);
}

/* After this nothing more happens to the call. */
static void disarm(UnitCall *call) {
        leave_watch(call);
        call->request = sd_bus_slot_unref(call->request);
        call->deadline = sd_event_source_disable_unref(call->deadline);
}

UnitCall *unit_call_free(UnitCall *call) {
        if (!call)
                return NULL;

        disarm(call);
        free(call->systemd);
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

static bool is_awaiting_reply(const Watch *w) {
        for (const UnitCall *c = w->calls; c; c = c->next)
                if (!c->job)
                        return true;
        return false;
}

static int remember_early(Watch *w, const char *systemd, const char *job, const char *result) {
        Early *e = &w->early[w->n_early % EARLY_MAX];

        early_done(e);
        if (str_replace(&e->systemd, systemd) < 0 || str_replace(&e->job, job) < 0 || str_replace(&e->result, result) < 0) {
                early_done(e);
                return -ENOMEM;
        }
        w->n_early++;
        return 0;
}

static char *find_early(const Watch *w, const UnitCall *call) {
        for (size_t i = 0; i < EARLY_MAX; i++) {
                const Early *e = &w->early[i];

                if (e->job && str_equal(e->job, call->job) && str_equal(e->systemd, call->systemd))
                        return strdup(e->result);
        }
        return NULL;
}

static UnitCall *find_call(const Watch *w, const char *systemd, const char *job) {
        for (UnitCall *c = w->calls; c; c = c->next)
                if (c->job && str_equal(c->job, job) && str_equal(c->systemd, systemd))
                        return c;
        return NULL;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *systemd = sd_bus_message_get_sender(m), *job, *result;
        Watch *w = userdata;
        UnitCall *call;
        int r;

        /* The unit is not compared: asked for by an alias, it is told by its own name. */
        r = sd_bus_message_read(m, "uoss", NULL, &job, NULL, &result);
        if (r < 0 || !systemd)
                return 0; /* not systemd as we know it; the deadline ends the call */

        /* Two calls for one unit may have the same job. Handlers may free calls, and make new ones. */
        while ((call = find_call(w, systemd, job)))
                finish(call, result, NULL);
        if (is_awaiting_reply(w))
                return remember_early(w, systemd, job, result);
        return 0;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _auto_free_ char *early = NULL;
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
        if (r >= 0)
                r = str_replace(&call->systemd, sd_bus_message_get_sender(m));
        if (r < 0) {
                finish_errno(call, r);
                return 0;
        }

        early = call->watch ? find_early(call->watch, call) : NULL;
        if (early)
                finish(call, early, NULL);
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
        Watch *watch = find_watch(bus);
        int r;

        assert(bus);
        assert(watch);
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

        r = sd_bus_call_async(bus, &call->request, m, on_reply, call, 0);
        if (r < 0)
                return r;
        r = arm_deadline(call, bus, timeout_usec);
        if (r < 0)
                return r;

        call->watch = watch;
        call->next = watch->calls;
        watch->calls = call;
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

/* systemd that executed itself anew has the same jobs, and another connection. */
static int follow(Watch *w, const char *systemd) {
        int r = 0;

        for (UnitCall *c = w->calls; c && r >= 0; c = c->next)
                if (c->systemd)
                        r = str_replace(&c->systemd, systemd);
        return r;
}

static int on_systemd_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        sd_bus *bus = sd_bus_message_get_bus(m);
        Watch *w = find_watch(bus);
        const char *new_owner;
        int r;

        if (!str_equal(sd_bus_message_get_sender(m), "org.freedesktop.DBus"))
                return 0;
        r = sd_bus_message_read(m, "sss", NULL, NULL, &new_owner);
        if (r < 0 || str_is_empty(new_owner))
                return 0;
        r = w ? follow(w, new_owner) : 0;
        if (r < 0)
                return r;
        /* Already subscribed is an error nobody reads. */
        return subscribe(bus);
}

static int watch_jobs(sd_bus *bus) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        Watch *w;
        int r;

        w = calloc(1, sizeof(*w));
        if (!w)
                return -ENOMEM;
        w->bus = bus;

        r = sd_bus_match_signal_async(bus, &slot, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "JobRemoved", on_job_removed, NULL, w);
        if (r >= 0)
                r = sd_bus_slot_set_destroy_callback(slot, watch_destroy);
        if (r < 0) {
                free(w);
                return r;
        }
        w->next = watches;
        watches = w;

        /* Goes with the connection. */
        r = sd_bus_slot_set_floating(slot, 1);
        return r < 0 ? r : 0;
}

int unit_subscribe(sd_bus *bus) {
        int r;

        assert(bus);

        r = watch_jobs(bus);
        if (r < 0)
                return r;
        r = sd_bus_add_match_async(bus, NULL,
                                   "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                                   "member='NameOwnerChanged',arg0='" BUS_SYSTEMD_NAME "'",
                                   on_systemd_owner, NULL, NULL);
        if (r < 0)
                return r;
        r = subscribe(bus);
        return r < 0 ? r : 0;
}
