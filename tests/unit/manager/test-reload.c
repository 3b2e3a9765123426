/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/reload.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "manager/event.h"
#include "manager/manager-bus.h"
#include "manager/reload-calendar.h"
#include "manager/status.h"
#include "manager/task.h"

#define UNIT "apache2.service"

/* What stands around it: systemd, the calendar, and what is told. */
static bool on_calendar;
static unsigned n_calls, n_told;
static UnitHandler handler;
static void *handler_userdata;

int unit_call_new(sd_bus *bus, UnitVerb verb, const char *unit, uint64_t timeout_usec, UnitHandler h, void *userdata, UnitCall **ret) {
        n_calls++;
        handler = h;
        handler_userdata = userdata;
        *ret = NULL;
        return 0;
}

UnitCall *unit_call_free(UnitCall *call) {
        return NULL;
}

bool reload_calendar_is_used(const ReloadCalendar *c) {
        return on_calendar;
}

bool domain_is_served_by(const Domain *d, size_t i) {
        return d->served;
}

void event_tell(Domain *d, EventKind kind, const Problem *problem, const char *format, ...) {
        n_told++;
}

void manager_bus_changed(Manager *m) {
}

void manager_kick(Manager *m) {
}

void status_changed(Status *s, Domain *d) {
}

unsigned task_count_busy(const Manager *m) {
        return 0;
}

/* Two domains, both live and not served, on one server that has certificates of both. */
typedef struct World {
        Manager manager;
        Snapshot snapshot;
        ManagedDomain config[2], view[2];
        DomainServer servers[2];
        Job jobs[2];
        Domain domains[2];
} World;

static char *some_fingerprint[] = { (char *) "aa", NULL };

static bool world_init(World *w) {
        static const char *const names[] = { "a.example", "b.example" };

        *w = (World){ .snapshot = { .unit = (char *) UNIT } };
        on_calendar = false;
        n_calls = n_told = 0;
        w->manager.reloads = map_new();
        w->manager.domains = map_new();
        w->manager.settings = (Settings){ .served_timeout_usec = USEC_PER_HOUR };
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                w->config[i].name = (char *) names[i];
                w->view[i].served = some_fingerprint;
                w->servers[i] = (DomainServer){ &w->snapshot, &w->view[i] };
                w->domains[i] = (Domain){ .manager = &w->manager, .config = &w->config[i], .job = &w->jobs[i], .servers = &w->servers[i], .n_servers = 1, .managed = true };
                w->domains[i].live.n = 1;
                w->domains[i].decision.action = DECISION_INSTALL;
                if (!w->manager.domains || map_put(w->manager.domains, names[i], &w->domains[i]) < 0)
                        return false;
        }
        return w->manager.reloads && sd_event_new(&w->manager.event) >= 0;
}

static void world_done(World *w) {
        const char *unit;
        Reload *r;

        MAP_FOREACH(w->manager.reloads, unit, r)
                reload_free(r);
        map_free(w->manager.reloads);
        map_free(w->manager.domains);
        sd_event_unref(w->manager.event);
}

static const Reload *the_reload(const World *w) {
        return map_get(w->manager.reloads, UNIT);
}

static void end_job(const char *result) {
        handler(NULL, result, NULL, handler_userdata);
}

static void let_time_pass(void) {
        for (uint64_t now = clock_monotonic_usec(); clock_monotonic_usec() == now;)
                ;
}

TEST(one_for_all_that_wait) {
        _cleanup_(world_done) World w;

        REQUIRE(world_init(&w));
        reload_request(&w.domains[0]);
        reload_request(&w.domains[1]);
        CHECK_UINT(n_calls, 0);
        reload_kick(&w.manager);
        CHECK_UINT(n_calls, 1);
        REQUIRE(the_reload(&w)->state == RELOAD_RUNNING);
        end_job("done");
        CHECK_INT(the_reload(&w)->state, RELOAD_PROVING);
        w.domains[0].served = true;
        reload_snapshot_arrived(&w.manager);
        CHECK_INT(the_reload(&w)->state, RELOAD_PROVING);
        w.domains[1].served = true;
        reload_snapshot_arrived(&w.manager);
        CHECK_INT(the_reload(&w)->state, RELOAD_IDLE);
        CHECK_UINT(the_reload(&w)->n_done, 1);
        CHECK_UINT(n_told, 0);
}

/* Somebody reloads by hand what was urgent: the next one is not, and waits for its time. */
TEST(urgency_ends_with_what_was_urgent) {
        _cleanup_(world_done) World w;

        REQUIRE(world_init(&w));
        on_calendar = true;
        w.domains[1].managed = false;
        w.view[0].served = NULL;
        reload_request(&w.domains[0]);
        w.domains[0].served = true;
        reload_kick(&w.manager);
        REQUIRE(the_reload(&w)->state == RELOAD_IDLE);
        w.domains[1].managed = true;
        reload_request(&w.domains[1]);
        reload_kick(&w.manager);
        CHECK_INT(the_reload(&w)->state, RELOAD_PLANNED);
        CHECK_UINT(n_calls, 0);
}

/* Nobody waits any more for what failed: it says nothing of the next one, whose failure is told again. */
TEST(trouble_ends_with_who_had_it) {
        _cleanup_(world_done) World w;

        REQUIRE(world_init(&w));
        w.domains[1].managed = false;
        reload_request(&w.domains[0]);
        reload_kick(&w.manager);
        end_job("failed");
        CHECK_UINT(n_told, 1);
        CHECK(reload_trouble(&w.domains[0]));
        REQUIRE(reload_request_unit(&w.manager, UNIT) == 0);
        REQUIRE(sd_event_run(w.manager.event, USEC_PER_MINUTE) > 0);
        CHECK_UINT(n_calls, 2);
        end_job("failed");
        CHECK_UINT(n_told, 1);
        reload_request(&w.domains[0]);
        w.domains[0].managed = false;
        REQUIRE(sd_event_run(w.manager.event, USEC_PER_MINUTE) > 0);
        CHECK_INT(the_reload(&w)->state, RELOAD_IDLE);
        CHECK_UINT(n_calls, 2);
        w.domains[1].managed = true;
        CHECK(!reload_trouble(&w.domains[1]));
        reload_request(&w.domains[1]);
        reload_kick(&w.manager);
        CHECK_UINT(n_calls, 3);
        end_job("failed");
        CHECK_UINT(n_told, 2);
}

/* While a reload is under way, another domain comes to want one, and a set time comes. */
TEST(set_time_during_a_reload) {
        for (unsigned strikes = 0; strikes < 2; strikes++) {
                _cleanup_(world_done) World w;
                _auto_strv_ char **first = NULL, **second = NULL;

                test_case("%u", strikes);
                REQUIRE(world_init(&w));
                on_calendar = true;
                w.domains[1].managed = false;
                reload_request(&w.domains[0]);
                reload_kick(&w.manager);
                REQUIRE(the_reload(&w)->state == RELOAD_PLANNED);
                CHECK_INT(reload_strike(&w.manager, &first), 0);
                CHECK_UINT(strv_length(first), 1);
                reload_kick(&w.manager);
                CHECK_UINT(n_calls, 1);
                let_time_pass();
                w.domains[1].managed = true;
                w.domains[1].live_since_usec = clock_monotonic_usec();
                reload_request(&w.domains[1]);
                if (strikes > 0)
                        CHECK_INT(reload_strike(&w.manager, &second), 0);
                w.domains[0].served = true;
                end_job("done");
                CHECK_INT(the_reload(&w)->state, RELOAD_WAITING);
                reload_kick(&w.manager);
                CHECK_INT(the_reload(&w)->state, strikes > 0 ? RELOAD_RUNNING : RELOAD_PLANNED);
                CHECK_UINT(n_calls, 1 + strikes);
        }
}

/* What an operator wants meanwhile is had after it, also when nobody else waits. */
TEST(forced_during_a_reload) {
        _cleanup_(world_done) World w;

        REQUIRE(world_init(&w));
        reload_request(&w.domains[0]);
        reload_request(&w.domains[1]);
        reload_kick(&w.manager);
        CHECK_INT(reload_request_unit(&w.manager, UNIT), 0);
        w.domains[0].served = w.domains[1].served = true;
        end_job("done");
        CHECK_INT(the_reload(&w)->state, RELOAD_WAITING);
        reload_kick(&w.manager);
        CHECK_UINT(n_calls, 2);
        end_job("done");
        CHECK_INT(the_reload(&w)->state, RELOAD_IDLE);
        reload_kick(&w.manager);
        CHECK_UINT(n_calls, 2);
}
