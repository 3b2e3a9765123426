/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/targets.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/drop-ins.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "bus/unit.h"
#include "manager/event.h"
#include "manager/manager-bus.h"

#define UNIT "md-targets.service"
#define RUN_TIMEOUT_USEC (10 * USEC_PER_MINUTE)
#define RETRY_MIN_USEC USEC_PER_MINUTE
#define RETRY_MAX_USEC USEC_PER_HOUR

enum {
        TARGETS_MAX = 10000,
        DETAIL_MAX = 2048,
        NAME_SHOWN_MAX = 255,
};

typedef struct TargetEntry {
        char *name, *domain, *state, *detail;
        uint64_t since_usec; /* of this state and detail */
} TargetEntry;

struct TargetStates {
        Manager *manager;
        TargetEntry *items;
        size_t n;
        UnitCall *call;
        sd_event_source *retry;
        unsigned failures; /* runs in a row */
        bool again;        /* something came while it ran */
};

static void entry_done(TargetEntry *e) {
        free(e->name);
        free(e->domain);
        free(e->state);
        free(e->detail);
}

static void free_entries(TargetEntry *items, size_t n) {
        for (size_t i = 0; i < n; i++)
                entry_done(&items[i]);
        free(items);
}

int targets_new(Manager *m, TargetStates **ret) {
        TargetStates *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->manager = m;
        *ret = t;
        return 0;
}

TargetStates *targets_free(TargetStates *t) {
        if (!t)
                return NULL;
        unit_call_free(t->call);
        sd_event_source_disable_unref(t->retry);
        free_entries(t->items, t->n);
        free(t);
        return NULL;
}

/* --- Running --- */

static void start(TargetStates *t);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        TargetStates *t = userdata;

        t->retry = sd_event_source_disable_unref(t->retry);
        start(t);
        return 0;
}

static bool has_failed(const TargetEntry *e) {
        return str_equal(e->state, "failed");
}

static bool any_failed(const TargetStates *t) {
        for (size_t i = 0; i < t->n; i++)
                if (has_failed(&t->items[i]))
                        return true;
        return false;
}

/* After a minute, and then less and less often. */
static void plan_retry(TargetStates *t, bool failed) {
        uint64_t wait = RETRY_MIN_USEC << MIN_OF(t->failures, 6U);
        int r;

        t->retry = sd_event_source_disable_unref(t->retry);
        t->failures = failed ? t->failures + 1 : 0;
        if (!failed)
                return;
        r = sd_event_add_time_relative(t->manager->event, &t->retry, CLOCK_MONOTONIC, MIN_OF(wait, RETRY_MAX_USEC), 0, on_retry, t);
        if (r < 0)
                (void) log_failure(r, "Cannot set a timer: %m");
}

/* What failed of it was told by the unit itself, and by its report. */
static void on_end(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata) {
        TargetStates *t = userdata;

        t->call = unit_call_free(t->call);
        if (!result)
                log_warning("Cannot start " UNIT ": %s", error && error->message ? error->message : "systemd refused it");
        if (t->again)
                start(t);
        else
                plan_retry(t, !str_equal(result, "done") && !str_equal(result, "skipped"));
}

/* Where nobody ever declared anything, nothing is started and nothing said. */
static bool any_place(void) {
        for (size_t i = 0; i < DROP_INS_DIRECTORIES; i++) {
                _auto_free_ char *path = str_printf("%s/targets.d", drop_ins_directories[i]);

                if (!path || access(path, F_OK) == 0)
                        return true;
        }
        return false;
}

static void forget(TargetStates *t) {
        if (t->n == 0)
                return;
        free_entries(t->items, t->n);
        t->items = NULL;
        t->n = 0;
        manager_bus_changed(t->manager);
}

static void start(TargetStates *t) {
        int r;

        t->again = t->call != NULL;
        if (t->again)
                return;
        if (!any_place()) {
                forget(t);
                return;
        }
        r = unit_call_new(t->manager->bus, UNIT_START, UNIT, RUN_TIMEOUT_USEC, on_end, t, &t->call);
        if (r < 0)
                (void) log_failure(r, "Cannot start " UNIT ": %m");
}

void targets_want(Manager *m) {
        if (m->targets)
                start(m->targets);
}

/* --- What it says --- */

static const TargetEntry *find(const TargetStates *t, const char *name) {
        for (size_t i = 0; i < t->n; i++)
                if (str_equal(t->items[i].name, name))
                        return &t->items[i];
        return NULL;
}

/* What was written last, and when, stays what is told of it as long as nothing is to be done. */
static int keep_news(TargetEntry *e, const TargetEntry *before) {
        e->since_usec = clock_now_usec();
        if (!before)
                return 0;
        if (str_equal(e->state, "unchanged") && (str_equal(before->state, "written") || str_equal(before->state, "unchanged"))) {
                e->since_usec = before->since_usec;
                return str_replace(&e->detail, before->detail);
        }
        if (str_equal(before->state, e->state) && str_equal(before->detail, e->detail))
                e->since_usec = before->since_usec;
        return 0;
}

static int take(const TargetStates *t, TargetEntry *e, const char *name, const char *domain, const char *state, const char *detail) {
        e->name = str_printable(name, strlen(name), NAME_SHOWN_MAX);
        e->domain = str_printable(domain, strlen(domain), NAME_SHOWN_MAX);
        e->state = str_printable(state, strlen(state), NAME_SHOWN_MAX);
        e->detail = str_printable(detail, strlen(detail), DETAIL_MAX);
        if (!e->name || !e->domain || !e->state || !e->detail)
                return -ENOMEM;
        return keep_news(e, find(t, e->name));
}

static int read_report(const TargetStates *t, sd_bus_message *call, TargetEntry **items, size_t *n) {
        const char *name, *domain, *state, *detail;
        int r = sd_bus_message_enter_container(call, 'a', "(ssss)");

        while (r >= 0 && (r = sd_bus_message_read(call, "(ssss)", &name, &domain, &state, &detail)) > 0) {
                TargetEntry *grown = *n < TARGETS_MAX ? reallocarray(*items, *n + 1, sizeof(**items)) : NULL;

                if (!grown)
                        return *n < TARGETS_MAX ? -ENOMEM : -E2BIG;
                *items = grown;
                grown[*n] = (TargetEntry){ 0 };
                (*n)++;
                r = take(t, &grown[*n - 1], name, domain, state, detail);
        }
        return r < 0 ? r : sd_bus_message_exit_container(call);
}

/* News for the domain's hooks; the same again is none. */
static void tell_failed(const TargetStates *t, const TargetEntry *e) {
        const TargetEntry *before = find(t, e->name);
        _auto_problem_ Problem *p = NULL;
        Domain *d;

        if (!has_failed(e) || (before && has_failed(before) && str_equal(before->detail, e->detail)))
                return;
        d = manager_find_domain_by_any_name(t->manager, e->domain);
        p = problem_new(PROBLEM_TYPE_TARGET, "Target %s: %s", e->name, e->detail);
        if (!d || !p)
                return;
        event_tell(d, EVENT_TARGET_FAILED, p, "%s", p->detail);
        domain_save_job(d);
}

int targets_bus_report(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        TargetStates *t = m->targets;
        TargetEntry *items = NULL;
        size_t n = 0;
        int r;

        r = authorize(m, call, ACTION_TARGETS, "", error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = read_report(t, call, &items, &n);
        if (r < 0) {
                free_entries(items, n);
                return r == -E2BIG ? sd_bus_error_setf(error, BUS_ERROR_INVALID, "More than %d targets", TARGETS_MAX) : r;
        }
        for (size_t i = 0; i < n; i++)
                tell_failed(t, &items[i]);
        free_entries(t->items, t->n);
        t->items = items;
        t->n = n;
        if (!t->call) /* somebody else started it */
                plan_retry(t, any_failed(t));
        manager_bus_changed(m);
        return sd_bus_reply_method_return(call, NULL);
}

/* Nobody has this domain: it is waited for in vain, or what was written is renewed by nobody. NULL: it is not so, or something else is amiss already. */
static char *why_in_vain(const TargetStates *t, const TargetEntry *e) {
        const Domain *d;

        if (has_failed(e) || !t->manager->adopted)
                return NULL;
        d = manager_find_domain_by_any_name(t->manager, e->domain);
        if (d && d->managed)
                return str_equal(DOMAIN_NAME(d), e->domain) ? NULL :
                        str_printf("%s is a further name of the managed domain %s: Domain=%s", e->domain, DOMAIN_NAME(d), DOMAIN_NAME(d));
        if (str_equal(e->state, "waiting"))
                return str_printf("There is no managed domain %s", e->domain);
        return str_printf("There is no managed domain %s any more: nobody renews what was written", e->domain);
}

static int append(sd_bus_message *reply, const TargetStates *t, const TargetEntry *e) {
        _auto_free_ char *why = why_in_vain(t, e);

        return sd_bus_message_append(reply, "(sssst)", e->name, e->domain, e->state, why ? why : e->detail, e->since_usec);
}

int targets_bus_append(sd_bus_message *reply, const TargetStates *t) {
        int r = sd_bus_message_open_container(reply, 'a', "(sssst)");

        for (size_t i = 0; r >= 0 && t && i < t->n; i++)
                r = append(reply, t, &t->items[i]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static char *fault_of(const TargetStates *t, const TargetEntry *e) {
        _auto_free_ char *why = why_in_vain(t, e);

        if (!why && !has_failed(e))
                return NULL;
        return str_printf("Target %s: %s", e->name, why ? why : e->detail);
}

int targets_append_faults(FaultList *l, const TargetStates *t) {
        int r = 0;

        for (size_t i = 0; r >= 0 && t && i < t->n; i++) {
                _auto_free_ char *text = fault_of(t, &t->items[i]);

                if (text)
                        r = fault_list_append(l, t->items[i].domain, text);
        }
        return r;
}
