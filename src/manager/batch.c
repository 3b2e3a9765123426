/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/batch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "bus/unit.h"

#define UNIT_PREFIX "md-acme-batch@"
#define UNIT_SUFFIX ".service"

enum { STARTING_MAX = 2 };

struct Batch {
        Manager *manager;
        char *unit;
        Task *way;       /* only its way to a CA: ca_url and settings; NULL: whatever comes first (somebody started the unit by hand) */
        UnitCall *start; /* ends with the unit; NULL: somebody started it by hand */
        PeerWatch *adopted; /* … and this is its connection */
        unsigned restarts;
        bool opened;     /* it has asked for something to do */
};

unsigned batch_count(const Manager *m) {
        return (unsigned) map_size(m->batches);
}

const char *batch_unit(const Batch *b) {
        return b->unit;
}

static void forget_workers(Batch *b) {
        const char *path;
        Task *t;

        MAP_FOREACH(b->manager->tasks, path, t)
                if (t->batch == b)
                        t->batch = NULL;
}

static void way_free(Task *way) {
        if (!way)
                return;
        managed_domain_free(way->settings);
        free(way->ca_url);
        free(way);
}

static Batch *batch_free(Batch *b) {
        if (!b)
                return NULL;
        if (b->unit && map_get(b->manager->batches, b->unit) == b)
                (void) map_remove(b->manager->batches, b->unit);
        forget_workers(b);
        unit_call_free(b->start);
        peer_watch_free(b->adopted);
        way_free(b->way);
        free(b->unit);
        free(b);
        return NULL;
}

void batch_free_all(Manager *m) {
        const char *unit;
        Batch *b;

        MAP_FOREACH(m->batches, unit, b)
                batch_free(b);
}

static int learn_way(Batch *b, const Task *like) {
        Task *way = calloc(1, sizeof(*way));

        if (!way)
                return -ENOMEM;
        way->settings = managed_domain_copy(like->settings);
        if (!way->settings || str_replace(&way->ca_url, like->ca_url) < 0) {
                way_free(way);
                return -ENOMEM;
        }
        b->way = way;
        return 0;
}

bool batch_serves(const Manager *m, const Task *like) {
        const char *unit;
        Batch *b;

        MAP_FOREACH(m->batches, unit, b)
                if (!b->way || task_same_way(b->way, like))
                        return true;
        return false;
}

static size_t count_starting(const Manager *m, const Task *like) {
        const char *unit;
        size_t n = 0;
        Batch *b;

        MAP_FOREACH(m->batches, unit, b)
                n += !b->opened && (!like || !b->way || task_same_way(b->way, like));
        return n;
}

static int start_unit(Batch *b);

/* The unit is gone, or did not come at all. What it had open has noticed by the connection. */
static void on_unit(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata) {
        Batch *b = userdata;
        Manager *m = b->manager;
        _auto_problem_ Problem *p = NULL;
        Task *t;

        /* The job merged with the end of a worker that an earlier run of ours had started. */
        if (!b->opened && result && b->restarts++ == 0 && start_unit(b) >= 0)
                return;
        t = b->opened ? NULL : task_next_for_worker(m, b->way);
        if (t)
                p = result ? problem_new(PROBLEM_TYPE_WORKER, "%s ended without asking for a job (%s); see 'journalctl -u %s'", b->unit, result, b->unit) :
                             problem_from_bus_error(error, PROBLEM_TYPE_WORKER, "Cannot start the worker's unit");
        batch_free(b);
        if (t)
                task_end(t, p); /* one of them pays for it, and the next one finds out whether it was an accident */
        manager_kick(m);
}

static int start_unit(Batch *b) {
        b->start = unit_call_free(b->start);
        return unit_call_new(b->manager->bus, UNIT_START, b->unit, 0, on_unit, b, &b->start);
}

/* The first number that is free. */
static char *choose_unit(const Manager *m) {
        for (unsigned n = 1;; n++) {
                char *unit = str_printf(UNIT_PREFIX "%u" UNIT_SUFFIX, n);

                if (!unit || !map_get(m->batches, unit))
                        return unit;
                free(unit);
        }
}

static int batch_new(Manager *m, char *unit, const Task *like, Batch **ret) {
        Batch *b = calloc(1, sizeof(*b));
        int k;

        if (!b || !unit) {
                free(b);
                free(unit);
                return -ENOMEM;
        }
        b->manager = m;
        b->unit = unit;
        k = like ? learn_way(b, like) : 0;
        if (k == 0)
                k = map_put(m->batches, b->unit, b);
        if (k < 0) {
                batch_free(b);
                return k;
        }
        *ret = b;
        return 0;
}

bool batch_start(Manager *m, const Task *like) {
        Batch *b;
        int k;

        if (count_starting(m, NULL) >= STARTING_MAX || count_starting(m, like) >= task_count_queued(m, like))
                return false;
        k = batch_new(m, choose_unit(m), like, &b);
        if (k == 0) {
                k = start_unit(b);
                if (k < 0)
                        batch_free(b);
        }
        if (k < 0)
                (void) log_failure(k, "%s: Cannot start a worker: %m", like->subject);
        return k == 0;
}

bool batch_is_unit(const char *unit) {
        _auto_free_ char *number = NULL;
        const char *rest = str_after_prefix(unit, UNIT_PREFIX);
        uint32_t n;

        if (!rest || !str_has_suffix(rest, UNIT_SUFFIX))
                return false;
        number = strndup(rest, strlen(rest) - strlen(UNIT_SUFFIX));
        return number && parse_uint32(number, &n) == 0;
}

/* What it has open. */
static Task *find_task(const Batch *b) {
        const char *path;
        Task *t;

        MAP_FOREACH(b->manager->tasks, path, t)
                if (t->batch == b)
                        return t;
        return NULL;
}

/* The end of one that nobody follows as a unit. What it had open notices by the connection, too, and may not have yet: it is told while its worker has a name. */
static void on_adopted_gone(PeerWatch *watch, void *userdata) {
        Batch *b = userdata;
        Manager *m = b->manager;
        Task *t = find_task(b);

        if (t)
                task_worker_gone(t);
        batch_free(b);
        manager_kick(m);
}

/* One that somebody started by hand has a place like every other, when there is one, for as long as its connection is there. */
static Batch *find_or_adopt(Manager *m, const char *unit, const char *sender) {
        Batch *b = map_get(m->batches, unit);

        if (b || task_count_busy(m) >= m->settings.max_renewals || batch_new(m, strdup(unit), NULL, &b) < 0)
                return b;
        return peer_watch_new(m->bus, sender, on_adopted_gone, b, &b->adopted) < 0 ? batch_free(b) : b;
}

static Task *next_task(Batch *b) {
        Task *t = task_next_for_worker(b->manager, b->way);

        if (t && !b->way && learn_way(b, t) < 0)
                return NULL;
        return t;
}

void batch_open(Manager *m, const char *unit, sd_bus_message *open) {
        Batch *b = find_or_adopt(m, unit, sd_bus_message_get_sender(open));
        Task *t;

        /* A second connection of the same unit is nobody who may have a second job. */
        if (b && find_task(b)) {
                (void) sd_bus_reply_method_errorf(open, BUS_ERROR_BUSY, "%s has a job open", unit);
                return;
        }
        /* What cannot begin has ended: the next one, then. */
        while (b && (t = next_task(b))) {
                t->batch = b;
                if (!b->opened) {
                        b->opened = true;
                        manager_kick(m); /* another one may start */
                }
                if (task_begin(t)) {
                        task_open(t, open);
                        return;
                }
                b = map_get(m->batches, unit);
        }
        if (b) {
                b->opened = true;
                if (!b->start)
                        batch_free(b);
        }
        (void) sd_bus_reply_method_errorf(open, BUS_ERROR_NOTHING_TO_DO, "%s: Nothing is due", unit);
}
