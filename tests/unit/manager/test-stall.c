/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/stall.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "lib/test.h"
#include "manager/event.h"
#include "manager/reload.h"
#include "manager/schedule.h"
#include "manager/turns.h"

/* What stands around it: reloads, turns, and what is told. */
static struct {
        bool reload_is_coming, is_over;
        const char *reload_trouble, *reload_excuse;
        unsigned n_told, n_armed, n_saved;
        char text[512];
} around;

bool reload_is_coming(const Domain *d) {
        return around.reload_is_coming;
}

const char *reload_trouble(const Domain *d) {
        return around.reload_trouble;
}

const char *reload_excuse(const Domain *d) {
        return around.reload_excuse;
}

bool turns_are_over(const Turns *t) {
        return around.is_over;
}

const char *event_log_type(EventKind kind) {
        return kind == EVENT_STALLED ? "stalled" : "other";
}

void event_tell(Domain *d, EventKind kind, const Problem *problem, const char *format, ...) {
        va_list ap;

        CHECK_INT(kind, EVENT_STALLED);
        va_start(ap, format);
        (void) vsnprintf(around.text, sizeof(around.text), format, ap);
        va_end(ap);
        around.n_told++;
        CHECK_INT(job_log_add(d->job, clock_now_usec(), "stalled", NULL, around.text), 0);
}

void domain_save_job(Domain *d) {
        around.n_saved++;
}

void domain_changed(Domain *d) {
}

void schedule_update(Schedule *s, Domain *d) {
        around.n_armed++;
}

typedef struct World {
        Manager manager;
        ManagedDomain config;
        Domain domain;
} World;

static bool world_init(World *w) {
        memset(&around, 0, sizeof(around));
        around.is_over = true;
        *w = (World){ .manager = { .adopted = true, .stalls_due = true }, .config = { .name = (char *) "a.example" } };
        w->manager.domains = map_new();
        w->domain = (Domain){ .manager = &w->manager, .config = &w->config, .managed = true, .job = job_new("a.example") };
        w->domain.decision = (Decision){ .action = DECISION_RENEW, .detail = (char *) "it expires" };
        return w->manager.domains && w->domain.job && map_put(w->manager.domains, "a.example", &w->domain) >= 0;
}

static void world_done(World *w) {
        map_free(w->manager.domains);
        job_free(w->domain.job);
}

#define NOW (UINT64_C(1000) * USEC_PER_DAY)

TEST(an_armed_time_a_running_job_or_a_stated_reason) {
        static const struct {
                const char *what;
                DecisionAction action;
                DecisionReason reason;
                uint64_t wanted_usec;
                bool runs, retries, unmanaged, comes, told, stalled;
                const char *trouble, *excuse;
        } cases[] = {
                { "armed", DECISION_WAIT, REASON_WINDOW, .wanted_usec = NOW + 1 },
                { "just elapsed", DECISION_WAIT, REASON_WINDOW, .wanted_usec = NOW - USEC_PER_MINUTE },
                { "elapsed, and nobody came", DECISION_WAIT, REASON_WINDOW, .wanted_usec = NOW - 6 * USEC_PER_MINUTE, .stalled = true },
                { "waits for no time", DECISION_WAIT, REASON_WINDOW, .stalled = true },
                { "held back until no time", DECISION_WAIT, REASON_HELD, .stalled = true },
                { "to be renewed by nobody", DECISION_RENEW, REASON_WINDOW, .stalled = true },
                { "to be renewed in a minute", DECISION_RENEW, REASON_WINDOW, .wanted_usec = NOW + USEC_PER_MINUTE },
                { "is being renewed", DECISION_RENEW, REASON_WINDOW, .runs = true },
                { "staged, and made live by nobody", DECISION_ACTIVATE, REASON_STAGED, .stalled = true },
                { "staged, and tried again", DECISION_ACTIVATE, REASON_STAGED, .retries = true },
                { "manual", DECISION_NOTHING, REASON_MANUAL },
                { "unused", DECISION_NOTHING, REASON_UNUSED },
                { "refused", DECISION_NOTHING, REASON_REFUSED },
                { "never decided about", DECISION_NOTHING, (DecisionReason) 0, .stalled = true },
                { "never decided about, and will be", DECISION_NOTHING, (DecisionReason) 0, .wanted_usec = NOW + 1 },
                { "its reload is coming", DECISION_INSTALL, REASON_ACTIVATED, .comes = true },
                { "its reload is tried again", DECISION_INSTALL, REASON_ACTIVATED, .trouble = "it failed" },
                { "its reload is planned", DECISION_INSTALL, REASON_ACTIVATED, .excuse = "planned" },
                { "somebody was told to reload", DECISION_INSTALL, REASON_ACTIVATED, .told = true },
                { "reloaded by nobody", DECISION_INSTALL, REASON_ACTIVATED, .stalled = true },
                { "no server names it any more", DECISION_NOTHING, REASON_UNMANAGED, .unmanaged = true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(world_done) World w;
                Domain *d = &w.domain;

                test_case("%s", cases[i].what);
                REQUIRE(world_init(&w));
                d->decision.action = cases[i].action;
                d->decision.reason = cases[i].reason;
                d->wanted_usec = cases[i].wanted_usec;
                d->managed = !cases[i].unmanaged;
                d->reload_told = cases[i].told;
                d->renewal = cases[i].runs ? (Renewal *) &w : NULL;
                d->activation_retry = cases[i].retries ? (sd_event_source *) &w : NULL;
                around.reload_is_coming = cases[i].comes;
                around.reload_trouble = cases[i].trouble;
                around.reload_excuse = cases[i].excuse;
                CHECK_INT(stall_is(d, NOW), cases[i].stalled);
        }
}

/* Once, and it gets a time. */
TEST(what_is_left_to_itself_is_told_and_armed) {
        _cleanup_(world_done) World w;
        uint64_t now = clock_now_usec();

        REQUIRE(world_init(&w));
        stall_look(&w.manager);
        CHECK_UINT(around.n_told, 1);
        CHECK_UINT(around.n_saved, 1);
        CHECK_UINT(around.n_armed, 1);
        CHECK(strstr(around.text, "(renew: it expires)"));
        CHECK(w.domain.wanted_usec > now && w.domain.wanted_usec <= clock_now_usec() + USEC_PER_MINUTE);
        CHECK(!stall_is(&w.domain, clock_now_usec()));
        w.manager.stalls_due = true; /* all is well now */
        stall_look(&w.manager);
        CHECK_UINT(around.n_told, 1);
        CHECK_UINT(around.n_armed, 1);
}

/* It is armed each time, and told again after a day. */
TEST(what_stays_so_is_told_once_a_day) {
        _cleanup_(world_done) World w;

        REQUIRE(world_init(&w));
        for (size_t i = 0; i < 3; i++) {
                stall_look(&w.manager);
                w.domain.wanted_usec = 0; /* a minute later it is decided about, and nothing is better */
                stall_decided(&w.domain);
        }
        CHECK_UINT(around.n_told, 1);
        CHECK_UINT(around.n_armed, 3);
        REQUIRE(w.domain.job->n_log == 1);
        w.domain.job->log[0].when_usec -= USEC_PER_DAY;
        stall_look(&w.manager);
        CHECK_UINT(around.n_told, 2);
        for (size_t i = 0; i < 2; i++) { /* the clock was put back: what was told then says nothing, and what is told now does */
                w.domain.job->log[0].when_usec += i == 0 ? USEC_PER_DAY : 0;
                w.domain.job->log[1].when_usec += i == 0 ? 2 * USEC_PER_DAY : 0;
                w.domain.wanted_usec = 0;
                w.manager.stalls_due = true;
                stall_look(&w.manager);
                CHECK_UINT(around.n_told, 3);
        }
}

/* Not before everything was decided about, and only when somebody wants it looked at. */
TEST(when_it_is_looked_at) {
        static const struct {
                const char *what;
                bool due, adopted, over;
                unsigned told;
        } cases[] = {
                { "a look is due", true, true, true, 1 },
                { "none is", false, true, true, 0 },
                { "nobody knows yet what is there", true, false, true, 0 },
                { "some domains wait for their turn", true, true, false, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(world_done) World w;

                test_case("%s", cases[i].what);
                REQUIRE(world_init(&w));
                w.manager.stalls_due = cases[i].due;
                w.manager.adopted = cases[i].adopted;
                around.is_over = cases[i].over;
                stall_look(&w.manager);
                CHECK_UINT(around.n_told, cases[i].told);
                CHECK_INT(w.manager.stalls_due, cases[i].due && cases[i].told == 0);
        }
}
