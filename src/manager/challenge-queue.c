/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/challenge-queue.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "domain/event.h"
#include "manager/challenge-dns.h"
#include "manager/manager-bus.h"

#define RETRY_USEC (5 * USEC_PER_SEC)

enum {
        FLYING_MAX = 16, /* as many as the launcher runs */
        CALLS_MAX = 10000,
        EXIT_STATUS_EXEC = 203, /* systemd.exec(5) */
};

struct ChallengeCall {
        ChallengeCall *next;
        ChallengeQueue *queue;
        ChallengeCallKind kind;
        char *domain, *type, *name, *value;
        char **fields;
        int (*begin)(void *userdata);
        LauncherHookHandler handler; /* NULL: nobody waits any more */
        void *userdata;
        bool flying;
        bool paused; /* the launcher was busy */
        bool begun;
        sd_bus_slot *slot;
};

struct ChallengeQueue {
        Manager *manager;
        ChallengeCall *calls; /* oldest first */
        size_t n_calls, n_flying;
        sd_event_source *pump;  /* deferred: handlers end renewals and free domains, which is nothing for the middle of who asked */
        sd_event_source *retry; /* on while something is paused */
};

static ChallengeCall *call_destroy(ChallengeCall *c) {
        if (!c)
                return NULL;
        sd_bus_slot_unref(c->slot);
        free(c->domain);
        free(c->type);
        free(c->name);
        free(c->value);
        strv_free(c->fields);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(ChallengeCall *, call_destroy)

static void leave(ChallengeCall *call) {
        ChallengeQueue *q = call->queue;

        for (ChallengeCall **c = &q->calls; *c; c = &(*c)->next)
                if (*c == call) {
                        *c = call->next;
                        break;
                }
        q->n_calls--;
        if (call->flying)
                q->n_flying--;
}

ChallengeCall *challenge_call_free(ChallengeCall *c) {
        if (!c)
                return NULL;
        if (c->flying) {
                c->handler = NULL;
                return NULL;
        }
        leave(c);
        return call_destroy(c);
}

static void finish(ChallengeCall *c, const LauncherHookEnd *end, const sd_bus_error *error) {
        LauncherHookHandler handler = c->handler;
        void *userdata = c->userdata;

        leave(c);
        if (handler)
                handler(end, error, userdata);
        call_destroy(c); /* the answer belongs to its slot */
}

static void finish_errno(ChallengeCall *c, int error) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

        (void) sd_bus_error_set_errno(&e, error);
        finish(c, NULL, &e);
}

static void pump(ChallengeQueue *q);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        ChallengeQueue *q = userdata;

        for (ChallengeCall *c = q->calls; c; c = c->next)
                c->paused = false;
        pump(q);
        return 0;
}

static int on_pump(sd_event_source *source, void *userdata) {
        pump(userdata);
        return 0;
}

void challenge_queue_kick(ChallengeQueue *q) {
        (void) sd_event_source_set_enabled(q->pump, SD_EVENT_ONESHOT);
}

static int pause_call(ChallengeCall *c) {
        ChallengeQueue *q = c->queue;
        int r;

        r = sd_event_source_set_time_relative(q->retry, RETRY_USEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(q->retry, SD_EVENT_ONESHOT);
        if (r < 0)
                return r;
        c->slot = sd_bus_slot_unref(c->slot);
        c->flying = false;
        c->paused = true;
        q->n_flying--;
        return 0;
}

/* How that before a renewal ended is told with what comes of it. */
static void tell_end(const ChallengeCall *c, const LauncherHookEnd *end) {
        _auto_free_ char *asked = NULL;
        const char *event = NULL;

        if (c->kind == CHALLENGE_CALL_EVENT)
                event = asked = str_printf("%s:%s:%s", event_kind_to_string(EVENT_CHALLENGE_SETUP), c->type, c->name);
        else if (c->kind != CHALLENGE_CALL_RENEWING)
                event = event_kind_to_string(c->kind == CHALLENGE_CALL_SETUP ? EVENT_CHALLENGE_SETUP : EVENT_CHALLENGE_TEARDOWN);
        if (event)
                manager_bus_hook_ended(c->queue->manager, event, c->domain, end);
}

static void on_end(const LauncherHookEnd *end, const sd_bus_error *error, void *userdata) {
        ChallengeCall *c = userdata;
        ChallengeQueue *q = c->queue;

        if (!end && c->handler && sd_bus_error_has_name(error, BUS_ERROR_BUSY) && pause_call(c) >= 0)
                return;
        if (end)
                tell_end(c, end);
        finish(c, end, error);
        pump(q);
}

static int send(ChallengeCall *c) {
        sd_bus *bus = c->queue->manager->bus;

        switch (c->kind) {

        case CHALLENGE_CALL_SETUP:
                return launcher_run_challenge_hook(bus, c->domain, "setup", c->name, c->value, &c->slot, on_end, c);

        case CHALLENGE_CALL_TEARDOWN:
                return launcher_run_challenge_hook(bus, c->domain, "teardown", c->name, c->value, &c->slot, on_end, c);

        case CHALLENGE_CALL_RENEWING:
                return launcher_run_event(bus, c->domain, event_kind_to_string(EVENT_RENEWING), "message", c->fields, &c->slot, on_end, c);

        case CHALLENGE_CALL_EVENT:
                return launcher_run_challenge_event(bus, c->domain, c->type, c->name, &c->slot, on_end, c);
        }
        return -EINVAL;
}

static void launch(ChallengeCall *c) {
        int r = 0;

        c->flying = true;
        c->queue->n_flying++;
        if (c->begin && !c->begun)
                r = c->begin(c->userdata);
        c->begun = true;
        if (r >= 0)
                r = send(c);
        if (r < 0)
                finish_errno(c, r);
}

/* Version 1 takes back by name alone, whatever the value: not while another one of that name is needed. */
static bool is_held(const ChallengeCall *c) {
        return c->kind == CHALLENGE_CALL_TEARDOWN && challenge_dns_is_in_use(c->queue->manager, c->domain, c->name);
}

/* The oldest one that may run, of a domain that has none on its way. */
static ChallengeCall *find_ready(ChallengeQueue *q) {
        _auto_map_ Map *seen = map_new();

        for (ChallengeCall *c = seen ? q->calls : NULL; c; c = c->next) {
                int r;

                if (!c->flying && is_held(c))
                        continue;
                r = map_put(seen, c->domain, seen);
                if (r < 0 && r != -EEXIST)
                        return NULL;
                if (r >= 0 && !c->flying && !c->paused)
                        return c;
        }
        return NULL;
}

static void pump(ChallengeQueue *q) {
        ChallengeCall *c;

        while (q->n_flying < FLYING_MAX && q->n_flying < q->n_calls && (c = find_ready(q)))
                launch(c);
}

int challenge_queue_new(Manager *m, ChallengeQueue **ret) {
        ChallengeQueue *q = calloc(1, sizeof(*q));
        int r;

        if (!q)
                return -ENOMEM;
        q->manager = m;
        r = sd_event_add_time_relative(m->event, &q->retry, CLOCK_MONOTONIC, RETRY_USEC, 0, on_retry, q);
        if (r >= 0)
                r = sd_event_source_set_enabled(q->retry, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(m->event, &q->pump, on_pump, q);
        if (r >= 0)
                r = sd_event_source_set_enabled(q->pump, SD_EVENT_OFF);
        if (r < 0) {
                challenge_queue_free(q);
                return r;
        }
        *ret = q;
        return 0;
}

ChallengeQueue *challenge_queue_free(ChallengeQueue *q) {
        if (!q)
                return NULL;

        while (q->calls) {
                ChallengeCall *c = q->calls;

                leave(c);
                call_destroy(c);
        }
        sd_event_source_disable_unref(q->pump);
        sd_event_source_disable_unref(q->retry);
        free(q);
        return NULL;
}

static int copy_words(ChallengeCall *c, const ChallengeCallSpec *spec) {
        if (str_replace(&c->domain, spec->domain) < 0 || str_replace(&c->type, spec->type) < 0 || str_replace(&c->name, spec->name) < 0 ||
            str_replace(&c->value, spec->value) < 0)
                return -ENOMEM;
        c->fields = spec->fields ? strv_copy(spec->fields) : NULL;
        return spec->fields && !c->fields ? -ENOMEM : 0;
}

int challenge_call_new(ChallengeQueue *q, const ChallengeCallSpec *spec, ChallengeCall **ret) {
        _cleanup_(call_destroyp) ChallengeCall *c = NULL;
        ChallengeCall **last;
        int r;

        assert(q);
        assert(spec->handler);
        assert(ret);

        if (q->n_calls >= CALLS_MAX)
                return -ENOBUFS;
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        *c = (ChallengeCall){ .queue = q, .kind = spec->kind, .begin = spec->begin, .handler = spec->handler, .userdata = spec->userdata };
        r = copy_words(c, spec);
        if (r < 0)
                return r;

        for (last = &q->calls; *last; last = &(*last)->next)
                ;
        *last = *ret = take_ptr(c);
        q->n_calls++;
        challenge_queue_kick(q);
        return 0;
}

bool challenge_call_succeeded(const LauncherHookEnd *end) {
        return end && str_equal(end->result, "success");
}

bool challenge_call_was_not_run(const LauncherHookEnd *end) {
        return !end || (end->code == CLD_EXITED && end->status == EXIT_STATUS_EXEC);
}

char *challenge_call_describe(const LauncherHookEnd *end, const sd_bus_error *error) {
        if (!end)
                return strdup(error && error->message ? error->message : "the launcher gives no reason");
        if (str_equal(end->result, "timeout"))
                return str_printf("%s did not end in time; see 'journalctl -u %s'", end->unit, end->unit);
        if (end->code == CLD_EXITED && end->status != 0)
                return str_printf("%s ended with exit status %d; see 'journalctl -u %s'", end->unit, end->status, end->unit);
        if (end->code == CLD_KILLED || end->code == CLD_DUMPED)
                return str_printf("%s was ended by signal %d; see 'journalctl -u %s'", end->unit, end->status, end->unit);
        return str_printf("%s ended with the result '%s'; see 'journalctl -u %s'", end->unit, end->result, end->unit);
}
