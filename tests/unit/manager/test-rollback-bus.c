/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/rollback.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "../bus/peer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "lib/test.h"
#include "manager/domain-bus.h"
#include "manager/errands.h"
#include "manager/manager-bus.h"

/* An archive that takes as long as the test wants. */
static struct {
        sem_t may_read;
        int outcome;
        Domain *domain; /* that there is when it was read */
} around;

int rollback_read(Store *store, const char *name, const KeySpecs *keys, RollbackSets *ret) {
        while (sem_wait(&around.may_read) < 0)
                ;
        if (around.outcome < 0)
                return around.outcome;
        *ret = (RollbackSets){ .items = calloc(1, sizeof(*ret->items)), .n = 1 };
        ret->items[0].number = 7;
        return 0;
}

int rollback_judge(const Domain *d, RollbackSets *sets) {
        return 0;
}

void rollback_sets_done(RollbackSets *sets) {
        free(sets->items);
}

int rollback_start(Domain *d, uint64_t number, uint64_t *ret_number, Problem **ret_problem) {
        return -ENOENT;
}

int domain_bus_append_certificates(sd_bus_message *reply, const CertFactsList *facts) {
        return sd_bus_message_append(reply, "a(ssstts)", 0);
}

void domain_learn_facts(Domain *d) {
}

Domain *manager_find_domain(const Manager *m, const char *name) {
        return around.domain;
}

int authorize(Manager *m, sd_bus_message *call, Action action, const char *subject, sd_bus_error *error) {
        return -EACCES;
}

/* --- A domain, and callers --- */

enum { CALLERS = 16 };

typedef struct World {
        Peers peers;
        Manager manager;
        ManagedDomain config;
        Domain domain;
} World;

typedef struct Answer {
        bool there;
        char *error;
        uint64_t number; /* of the first set */
} Answer;

static void answer_done(Answer *a) {
        free(a->error);
}
#define _auto_answer_ _cleanup_(answer_done)

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("ListArchive", NULL, "a(tta(ssstts)s)", rollback_bus_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void world_done(World *w) {
        for (size_t i = 0; i < 2 * CALLERS; i++)
                (void) sem_post(&around.may_read);
        errands_free(w->manager.errands);
        sd_event_unref(w->manager.event);
        peers_done(&w->peers);
        (void) sem_destroy(&around.may_read);
}
#define _auto_world_ _cleanup_(world_done)

static int world_init(World *w) {
        int r;

        w->config = (ManagedDomain){ .name = (char *) "a.example" };
        w->domain = (Domain){ .manager = &w->manager, .config = &w->config };
        (void) sem_init(&around.may_read, 0, 0);
        around.outcome = 0;
        around.domain = &w->domain;
        r = peers_init(&w->peers);
        if (r >= 0)
                r = sd_event_new(&w->manager.event);
        if (r >= 0)
                r = errands_new(w->manager.event, &w->manager.errands);
        return r < 0 ? r : sd_bus_add_object_vtable(w->peers.service, NULL, "/org/test", "org.test", vtable, &w->domain);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Answer *a = userdata;
        uint64_t at;

        a->there = true;
        if (sd_bus_message_is_method_error(m, NULL))
                return str_replace(&a->error, sd_bus_message_get_error(m)->name);
        if (sd_bus_message_enter_container(m, 'a', "(tta(ssstts)s)") < 0 || sd_bus_message_enter_container(m, 'r', "tta(ssstts)s") < 0)
                return -EBADMSG;
        return sd_bus_message_read(m, "tt", &a->number, &at);
}

static int ask(World *w, const char *sender, Answer *a) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(w->peers.other, &m, NULL, "/org/test", "org.test", "ListArchive");

        if (r >= 0)
                r = sd_bus_message_set_sender(m, sender);
        return r < 0 ? r : sd_bus_call_async(w->peers.other, NULL, m, on_answer, a, 0);
}

/* Each begins with the next one. */
static size_t count_looks(const World *w) {
        size_t n = 0;

        for (void *const *l = (void *const *) w->manager.archive_looks; l; l = *l)
                n++;
        return n;
}

/* Until that many of them are under way. */
static int deliver(World *w, size_t n) {
        for (size_t tries = 0; count_looks(w) < n; tries++) {
                int r = sd_bus_process(w->peers.other, NULL);

                if (r >= 0)
                        r = sd_bus_process(w->peers.service, NULL);
                if (r < 0 || tries > 10000)
                        return r < 0 ? r : -ETIMEDOUT;
        }
        return 0;
}

static int finish(World *w) {
        (void) sem_post(&around.may_read);
        return sd_event_run(w->manager.event, 30 * USEC_PER_SEC);
}

TEST(reading_does_not_stop_the_loop) {
        _auto_world_ World w = { 0 };
        _auto_answer_ Answer first = { 0 }, second = { 0 };

        REQUIRE(world_init(&w) >= 0);
        REQUIRE(ask(&w, ":1.1", &first) >= 0 && deliver(&w, 1) == 0);
        REQUIRE(ask(&w, ":1.1", &second) >= 0 && peers_run_until(&w.peers, &second.there) == 0); /* while the other one is being read */
        CHECK_STR(second.error, BUS_ERROR_BUSY);
        CHECK(!first.there);
        REQUIRE(finish(&w) > 0 && peers_run_until(&w.peers, &first.there) == 0);
        CHECK_STR(first.error, NULL);
        CHECK_UINT(first.number, 7);
        CHECK(!w.manager.archive_looks);
}

TEST(others_are_not_in_the_way_until_there_are_many) {
        Answer answers[CALLERS] = { 0 };
        _auto_world_ World w = { 0 };
        _auto_answer_ Answer last = { 0 };

        REQUIRE(world_init(&w) >= 0);
        for (size_t i = 0; i < CALLERS; i++) {
                char sender[] = { ':', '1', '.', (char) ('a' + i), '\0' };

                REQUIRE(ask(&w, sender, &answers[i]) >= 0 && deliver(&w, i + 1) == 0);
        }
        REQUIRE(ask(&w, ":1.z", &last) >= 0 && peers_run_until(&w.peers, &last.there) == 0);
        CHECK_STR(last.error, BUS_ERROR_BUSY);
}

TEST(failures_are_answered) {
        static const struct {
                const char *what;
                int outcome;
                bool gone;
                const char *error;
        } cases[] = {
                { "it cannot be read",       -EACCES, false, SD_BUS_ERROR_ACCESS_DENIED },
                { "the domain went",         0,       true,  BUS_ERROR_NO_SUCH_DOMAIN },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_world_ World w = { 0 };
                _auto_answer_ Answer a = { 0 };

                test_case("%s", cases[i].what);
                REQUIRE(world_init(&w) >= 0);
                REQUIRE(ask(&w, ":1.1", &a) >= 0 && deliver(&w, 1) == 0);
                around.outcome = cases[i].outcome;
                around.domain = cases[i].gone ? NULL : &w.domain;
                REQUIRE(finish(&w) > 0 && peers_run_until(&w.peers, &a.there) == 0);
                CHECK_STR(a.error, cases[i].error);
        }
}
