/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/hook-test.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/launcher-client.h"
#include "bus/names.h"
#include "domain/event.h"
#include "domain/name.h"
#include "manager/event.h"

#define EVENT_DNS01 "dns-01"
#define SETUP_PREFIX "challenge-setup:"
#define TEXT "This is a test: nothing happened"

enum {
        TESTS_MAX = 16,
        RUNS_MAX = 2,
        VALUE_LENGTH = 43, /* as long as a real one */
};

typedef struct Run {
        const char *method;
        char **words, **fields;
} Run;

struct HookTest {
        HookTest *next;
        Manager *manager;
        sd_bus_message *call, *reply;
        Run runs[RUNS_MAX];
        size_t n, i;
        sd_bus_slot *slot;
};

static HookTest *test_free(HookTest *t) {
        if (!t)
                return NULL;
        for (HookTest **p = &t->manager->hook_tests; *p; p = &(*p)->next)
                if (*p == t) {
                        *p = t->next;
                        break;
                }
        for (size_t i = 0; i < RUNS_MAX; i++) {
                strv_free(t->runs[i].words);
                strv_free(t->runs[i].fields);
        }
        sd_bus_slot_unref(t->slot);
        sd_bus_message_unref(t->reply);
        sd_bus_message_unref(t->call);
        free(t);
        return NULL;
}
DEFINE_CLEANUP(HookTest *, test_free)

void hook_test_free_all(Manager *m) {
        while (m->hook_tests)
                test_free(m->hook_tests);
}

/* --- What is run --- */

static int add_run(HookTest *t, const char *method, const char *const *words) {
        Run *run = &t->runs[t->n];
        int r = 0;

        assert(t->n < RUNS_MAX);

        run->method = method;
        for (; r >= 0 && *words; words++)
                r = strv_extend(&run->words, *words);
        if (r >= 0)
                t->n++;
        return r;
}

static int add_event(HookTest *t, const Domain *d, EventKind kind, const char *command) {
        const char *const words[] = { DOMAIN_NAME(d), event_kind_to_string(kind), command, NULL };
        static const Problem none = { .type = (char *) PROBLEM_TYPE_INTERNAL, .detail = (char *) TEXT };
        const Problem *problem = kind == EVENT_ERRORED ? (d->job->last ? d->job->last : &none) : NULL;
        int r;

        r = add_run(t, "TestEvent", words);
        return r < 0 ? r : event_collect_fields(d, kind, problem, TEXT, &t->runs[t->n - 1].fields);
}

/* The commands in the order in which they are told. Without any, the launcher says so. */
static int plan_event(HookTest *t, const Domain *d, EventKind kind) {
        const Snapshot *s = d->n_servers > 0 ? d->servers[0].snapshot : NULL;
        bool notify = kind == EVENT_RENEWED && s && strv_length(s->notify_cmd) > 0;
        int r = notify ? add_event(t, d, kind, "notify") : 0;

        if (r >= 0 && (!notify || strv_length(s->message_cmd) > 0))
                r = add_event(t, d, kind, "message");
        return r;
}

/* What a wildcard stands on. */
static const char *proven_name(const Domain *d) {
        const char *name = DOMAIN_NAME(d), *rest = str_after_prefix(name, "*.");

        return rest ? rest : name;
}

static int plan_dns01(HookTest *t, const Domain *d) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        static const char *const verbs[] = { "setup", "teardown" };
        char value[VALUE_LENGTH + 1] = { 0 };
        int r = 0;

        for (size_t i = 0; i < VALUE_LENGTH; i++)
                value[i] = letters[manager_random() % (sizeof(letters) - 1)];
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(verbs); i++) {
                const char *const words[] = { DOMAIN_NAME(d), verbs[i], proven_name(d), value, NULL };

                r = add_run(t, "TestChallengeHook", words);
        }
        return r;
}

static int plan_challenge(HookTest *t, const Domain *d, const char *rest, sd_bus_error *error) {
        _auto_free_ char *type = strdup(rest);
        char *colon = type ? strchr(type, ':') : NULL;
        const char *const words[] = { DOMAIN_NAME(d), type, colon ? colon + 1 : "", NULL };

        if (!type)
                return -ENOMEM;
        if (!colon)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no event: it has the form " SETUP_PREFIX "TYPE:NAME");
        *colon = '\0';
        return add_run(t, "TestChallengeEvent", words);
}

static int plan(HookTest *t, const Domain *d, const char *event, sd_bus_error *error) {
        const char *rest = str_after_prefix(event, SETUP_PREFIX);
        EventKind kind;

        if (rest)
                return plan_challenge(t, d, rest, error);
        if (str_equal(event, EVENT_DNS01))
                return plan_dns01(t, d);
        if (!event_kind_from_string(event, &kind) || kind == EVENT_CHALLENGE_SETUP || kind == EVENT_CHALLENGE_TEARDOWN)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no event; md-manager(8) names them");
        return plan_event(t, d, kind);
}

/* --- One after the other --- */

static int run_next(HookTest *t);

static void finish(HookTest *t, const sd_bus_error *error) {
        int r;

        if (error)
                r = sd_bus_reply_method_error(t->call, error);
        else
                r = sd_bus_message_close_container(t->reply) < 0 ? -EINVAL : sd_bus_send(NULL, t->reply, NULL);
        if (r < 0)
                (void) log_failure(r, "Cannot answer who tries a hook out: %m");
        test_free(t);
}

static void finish_errno(HookTest *t, int error) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

        (void) sd_bus_error_set_errno(&e, error);
        finish(t, &e);
}

static int on_description(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        HookTest *t = userdata;
        int r;

        if (sd_bus_message_is_method_error(m, NULL)) {
                finish(t, sd_bus_message_get_error(m));
                return 0;
        }
        r = sd_bus_message_copy(t->reply, m, true);
        t->i++;
        if (r >= 0 && t->i == t->n) {
                finish(t, NULL);
                return 0;
        }
        if (r >= 0)
                r = run_next(t);
        if (r < 0)
                finish_errno(t, r);
        return 0;
}

static int run_next(HookTest *t) {
        const Run *run = &t->runs[t->i];

        t->slot = sd_bus_slot_unref(t->slot);
        return launcher_test_hook(t->manager->bus, run->method, run->words, run->fields, &t->slot, on_description, t);
}

static bool too_many(const Manager *m) {
        size_t n = 0;

        for (const HookTest *t = m->hook_tests; t; t = t->next)
                n++;
        return n >= TESTS_MAX;
}

static int begin(HookTest *t) {
        int r;

        r = sd_bus_message_new_method_return(t->call, &t->reply);
        if (r >= 0)
                r = sd_bus_message_open_container(t->reply, 'a', "a{sv}");
        return r < 0 ? r : run_next(t);
}

int hook_test_new(Domain *d, const char *event, sd_bus_message *call, sd_bus_error *error) {
        _cleanup_(test_freep) HookTest *t = NULL;
        Manager *m = d->manager;
        int r;

        if (too_many(m))
                return sd_bus_error_set(error, BUS_ERROR_BUSY, "Too many hooks are being tried out");
        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        *t = (HookTest){ .next = m->hook_tests, .manager = m, .call = sd_bus_message_ref(call) };
        m->hook_tests = t;
        r = plan(t, d, event, error);
        if (r >= 0)
                r = begin(t);
        if (r < 0)
                return r;
        log_info("%s: Somebody tries a hook out.", DOMAIN_NAME(d));
        take_ptr(t);
        return 1;
}
