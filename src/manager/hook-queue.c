/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/hook-queue.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/launcher-client.h"
#include "bus/names.h"

#define RETRY_USEC (5 * USEC_PER_SEC)

enum {
        FLYING_MAX = 32,
        WAITING_MAX = 1000,
};

typedef struct HookCall {
        struct HookCall *next;
        HookQueue *queue;
        char *domain;
        EventKind event;
        char **fields;
        bool flying;
        bool paused; /* the launcher was busy: nothing of this domain until the clock says so */
        sd_bus_slot *slot;
} HookCall;

struct HookQueue {
        sd_bus *bus;
        sd_event_source *retry; /* on while something is paused */
        HookCall *calls; /* oldest first */
        size_t n_flying, n_waiting;
};

static void pump(HookQueue *q);

static HookCall *call_free(HookCall *c) {
        if (!c)
                return NULL;
        sd_bus_slot_unref(c->slot);
        strv_free(c->fields);
        free(c->domain);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(HookCall *, call_free)

static void forget(HookCall *call) {
        HookQueue *q = call->queue;

        for (HookCall **c = &q->calls; *c; c = &(*c)->next)
                if (*c == call) {
                        *c = call->next;
                        break;
                }
        if (call->flying)
                q->n_flying--;
        else
                q->n_waiting--;
        call_free(call);
}

static void tell(const HookCall *c, const char *why) {
        const char *event = event_kind_to_string(c->event);
        LogField fields[] = { { "MD_NAME", c->domain }, { "MD_EVENT", event } };

        log_full(LOG_ERR, 0, MESSAGE_HOOK_FAILED, fields, ELEMENTSOF(fields), "%s: The hook for '%s' was not started: %s", c->domain, event, why);
}

static void land(HookCall *c) {
        c->slot = sd_bus_slot_unref(c->slot);
        c->flying = false;
        c->paused = true;
        c->queue->n_flying--;
        c->queue->n_waiting++;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        HookQueue *q = userdata;

        for (HookCall *c = q->calls; c; c = c->next)
                c->paused = false;
        pump(q);
        return 0;
}

static int retry_later(HookQueue *q) {
        int enabled, r;

        r = sd_event_source_get_enabled(q->retry, &enabled);
        if (r < 0 || enabled != SD_EVENT_OFF)
                return r;
        r = sd_event_source_set_time_relative(q->retry, RETRY_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(q->retry, SD_EVENT_ONESHOT);
}

static void on_answer(const char *unit, const sd_bus_error *error, void *userdata) {
        HookCall *c = userdata;
        HookQueue *q = c->queue;

        if (!unit && sd_bus_error_has_name(error, BUS_ERROR_BUSY) && retry_later(q) >= 0) {
                land(c);
                return;
        }
        if (!unit)
                tell(c, error && error->message ? error->message : "no reason given");
        forget(c);
        pump(q);
}

static int launch(HookCall *c) {
        HookQueue *q = c->queue;
        int r;

        r = launcher_run_hook(q->bus, c->domain, event_kind_to_string(c->event), c->fields, &c->slot, on_answer, c);
        if (r < 0)
                return r;
        c->flying = true;
        q->n_flying++;
        q->n_waiting--;
        return 0;
}

/* Launches the oldest of each domain that has none on its way. */
static void pump(HookQueue *q) {
        _auto_map_ Map *seen = NULL;

        if (q->n_waiting == 0)
                return;
        seen = map_new();
        if (!seen) {
                (void) log_oom();
                return;
        }
        for (HookCall *c = q->calls, *next; c && q->n_flying < FLYING_MAX; c = next) {
                int r = map_put(seen, c->domain, seen);

                next = c->next;
                if (r == -EEXIST || c->flying || c->paused)
                        continue;
                if (r >= 0)
                        r = launch(c);
                if (r < 0) {
                        tell(c, strerror(-r));
                        forget(c);
                }
        }
}

int hook_queue_new(sd_event *event, HookQueue **ret) {
        HookQueue *q;
        int r;

        assert(event);
        assert(ret);

        q = calloc(1, sizeof(*q));
        if (!q)
                return -ENOMEM;
        r = sd_event_add_time_relative(event, &q->retry, CLOCK_MONOTONIC, RETRY_USEC, 0, on_retry, q);
        if (r >= 0)
                r = sd_event_source_set_enabled(q->retry, SD_EVENT_OFF);
        if (r < 0) {
                hook_queue_free(q);
                return r;
        }
        *ret = q;
        return 0;
}

HookQueue *hook_queue_free(HookQueue *q) {
        if (!q)
                return NULL;

        while (q->calls)
                forget(q->calls);
        sd_event_source_disable_unref(q->retry);
        sd_bus_unref(q->bus);
        free(q);
        return NULL;
}

static void drop_oldest(HookQueue *q) {
        for (HookCall *c = q->calls; c; c = c->next)
                if (!c->flying) {
                        tell(c, "too many are waiting.");
                        forget(c);
                        return;
                }
}

int hook_queue_add(HookQueue *q, sd_bus *bus, const char *domain, EventKind event, char *const *fields) {
        _cleanup_(call_freep) HookCall *c = NULL;
        HookCall **last;
        int r;

        assert(q);
        assert(bus);
        assert(domain);

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->queue = q;
        c->event = event;
        r = str_replace(&c->domain, domain);
        if (r < 0)
                return r;
        c->fields = strv_copy(fields);
        if (!c->fields)
                return -ENOMEM;
        if (!q->bus)
                q->bus = sd_bus_ref(bus);
        if (q->n_waiting >= WAITING_MAX)
                drop_oldest(q);

        for (last = &q->calls; *last; last = &(*last)->next)
                ;
        *last = take_ptr(c);
        q->n_waiting++;
        pump(q);
        return 0;
}
