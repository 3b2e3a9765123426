/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/turns.h"

#include "base/cleanup.h"
#include "base/map.h"
#include "lib/test.h"
#include "manager/adoption.h"
#include "manager/stall.h"

/* What stands around it. */
static struct {
        unsigned n_adoptions, n_evaluated, n_kicked, n_looked, n_evaluated_before_look;
} around;

bool adoption_is_running(const Adoption *a) {
        return around.n_adoptions > 0;
}

void adoption_step(Adoption *a) {
        around.n_adoptions--;
}

void adoption_take(Adoption *a, const char *name) {
}

void domain_evaluate(Domain *d) {
        around.n_evaluated++;
}

Domain *manager_find_domain(const Manager *m, const char *name) {
        return map_get(m->domains, name);
}

void manager_forget_unmanaged(Domain *d) {
}

void manager_kick(Manager *m) {
        around.n_kicked++;
}

void stall_look(Manager *m) {
        CHECK(turns_are_over(m->turns));
        around.n_looked++;
        around.n_evaluated_before_look = around.n_evaluated;
}

typedef struct World {
        Manager manager;
        Domain domains[2];
} World;

static bool world_init(World *w) {
        static const char *const names[] = { "a.example", "b.example" };

        *w = (World){ 0 };
        around = (typeof(around)){ 0 };
        w->manager.domains = map_new();
        if (!w->manager.domains || sd_event_new(&w->manager.event) < 0 || turns_new(&w->manager, &w->manager.turns) < 0)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                w->domains[i].manager = &w->manager;
                if (map_put(w->manager.domains, names[i], &w->domains[i]) < 0)
                        return false;
        }
        return true;
}

static void world_done(World *w) {
        turns_free(w->manager.turns);
        map_free(w->manager.domains);
        sd_event_unref(w->manager.event);
}

static void run(World *w) {
        while (sd_event_run(w->manager.event, 0) > 0)
                ;
}

/* Whether one is left to itself is known when all were decided about, and each one was once. */
TEST(the_look_comes_when_all_had_their_turns) {
        _cleanup_(world_done) World w;

        REQUIRE(world_init(&w));
        turns_add_all(w.manager.turns);
        turns_add(w.manager.turns, &w.domains[0]);
        around.n_adoptions = 3;
        CHECK(!turns_are_over(w.manager.turns));
        run(&w);
        CHECK(turns_are_over(w.manager.turns));
        CHECK_UINT(around.n_evaluated, 2);
        CHECK_UINT(around.n_looked, 1);
        CHECK_UINT(around.n_evaluated_before_look, 2);
        CHECK_UINT(around.n_kicked, 1);
}

/* At start they are over before the loop runs: it looks all the same. */
TEST(the_look_comes_after_the_start) {
        _cleanup_(world_done) World w;

        REQUIRE(world_init(&w));
        turns_add_all(w.manager.turns);
        turns_run(w.manager.turns, UINT64_MAX);
        CHECK_UINT(around.n_evaluated, 2);
        CHECK_UINT(around.n_looked, 0);
        run(&w);
        CHECK_UINT(around.n_evaluated, 2);
        CHECK_UINT(around.n_looked, 1);
}

/* Who is asked for has its turn at once, and no second one. */
TEST(whoever_is_asked_for_comes_first) {
        _cleanup_(world_done) World w;

        REQUIRE(world_init(&w));
        turns_add_all(w.manager.turns);
        CHECK(turns_find(w.manager.turns, "b.example") == &w.domains[1]);
        CHECK_UINT(around.n_evaluated, 1);
        CHECK(!turns_are_over(w.manager.turns));
        CHECK(turns_find(w.manager.turns, "b.example") == &w.domains[1]);
        CHECK_UINT(around.n_evaluated, 1);
        turns_remove(w.manager.turns, &w.domains[0]);
        CHECK(turns_are_over(w.manager.turns));
        CHECK(!turns_find(w.manager.turns, "c.example"));
}
