/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/fault.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "manager/challenge-persist.h"
#include "manager/ocsp.h"
#include "manager/reload.h"
#include "manager/schedule.h"
#include "manager/served.h"
#include "manager/stall.h"

/* What stands around it: OCSP, reloads, timers, and what was seen. */
static struct {
        OcspKnown known;
        const char *reload_excuse, *timer_trouble;
        bool reload_is_coming, is_stalled;
} around;

OcspKnown ocsp_known(const Ocsp *o, const Domain *d, const CertFacts *f) {
        return around.known;
}

const char *reload_excuse(const Domain *d) {
        return around.reload_excuse;
}

bool reload_is_coming(const Domain *d) {
        return around.reload_is_coming;
}

const char *reload_trouble(const Domain *d) {
        return NULL;
}

bool stall_is(const Domain *d, uint64_t now_usec) {
        return around.is_stalled;
}

const char *schedule_trouble(const Schedule *s, const Domain *d) {
        return around.timer_trouble;
}

const Problem *served_difference(const Served *s, const Domain *d) {
        return NULL;
}

char *challenge_persist_find_fault(const Domain *d, uint64_t now_usec) {
        return NULL;
}

const CertFactsList *domain_used_facts(const Domain *d) {
        return &d->live;
}

uint64_t domain_valid_until_usec(const Domain *d) {
        return d->live.items[0].not_after_usec;
}

/* A domain with one certificate that is good for an hour, and waits for its window in half of that. */
typedef struct World {
        Manager manager;
        ManagedDomain config;
        CertFacts facts;
        Job job;
        Domain domain;
} World;

static char *revoked_list[] = { (char *) "aa", NULL }, *revoked_key_list[] = { (char *) "bb", NULL }, *files[] = { (char *) "/etc/ssl/a.pem", NULL };
static Problem silence = { .type = (char *) "t", .detail = (char *) "the responder is silent" };

static void world_init(World *w) {
        uint64_t now = clock_now_usec();

        memset(&around, 0, sizeof(around));
        *w = (World){ .config = { .name = (char *) "a.example", .stapling = true } };
        w->facts = (CertFacts){ .serial = (char *) "0A1B", .sha256 = (char *) "aa", .key_sha256 = (char *) "bb", .not_after_usec = now + USEC_PER_HOUR };
        w->domain = (Domain){ .manager = &w->manager, .config = &w->config, .job = &w->job, .managed = true, .wanted_usec = now + USEC_PER_HOUR / 2 };
        w->domain.live = (CertFactsList){ &w->facts, 1 };
        w->domain.decision = (Decision){ .action = DECISION_WAIT, .reason = REASON_WINDOW, .detail = (char *) "because of this" };
}

static void check_fault(World *w, const char *expected) {
        _auto_free_ char *fault = fault_find(&w->domain);

        if (expected)
                CHECK(fault && strstr(fault, expected));
        else
                CHECK_STR(fault, NULL);
}

/* Whoever visits is warned of it, whatever keeps another one from coming. */
TEST(a_revoked_certificate_that_nothing_replaces) {
        static const struct {
                const char *what;
                DecisionAction action;
                DecisionReason reason;
                bool revoked, revoked_key;
                const char *expected;
        } cases[] = {
                { "nothing is wrong", DECISION_WAIT, REASON_WINDOW, false, false, NULL },
                { "MDRenewMode manual, and nothing is wrong", DECISION_NOTHING, REASON_MANUAL, false, false, NULL },
                { "MDRenewMode manual", DECISION_NOTHING, REASON_MANUAL, true, false, "0A1B is revoked, and nothing renews it by itself (because of this): 'mdctl renew --force a.example'" },
                { "MDRenewMode manual, and its key is known", DECISION_NOTHING, REASON_MANUAL, true, true, "nothing renews it by itself" },
                { "MDRenewMode manual, and no other one was wanted", DECISION_NOTHING, REASON_MANUAL, false, true, "no other one was ordered" },
                { "held back", DECISION_WAIT, REASON_HELD, true, false, "0A1B is revoked, and not replaced yet: because of this" },
                { "held back, and its key is known", DECISION_WAIT, REASON_HELD, true, true, "not replaced yet: because of this" },
                { "too many", DECISION_WAIT, REASON_BUDGET, true, false, "not replaced yet: because of this" },
                { "staged, and held", DECISION_ACTIVATE, REASON_STAGED, true, false, "not replaced yet" },
                { "no other one was wanted", DECISION_WAIT, REASON_WINDOW, false, true, "no other one was ordered" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                World w;

                test_case("%s", cases[i].what);
                world_init(&w);
                w.domain.decision.action = cases[i].action;
                w.domain.decision.reason = cases[i].reason;
                w.job.revoked = cases[i].revoked ? revoked_list : NULL;
                w.job.revoked_keys = cases[i].revoked_key ? revoked_key_list : NULL;
                check_fault(&w, cases[i].expected);
                w.domain.renewal = (Renewal *) &w; /* one is under way */
                check_fault(&w, NULL);
        }
}

/* A reload on its way ends it; one that somebody has to do may take for ever. */
TEST(a_revoked_certificate_that_is_not_served_yet) {
        World w;

        world_init(&w);
        w.domain.decision.action = DECISION_INSTALL;
        w.job.revoked = revoked_list;
        around.reload_is_coming = true;
        check_fault(&w, NULL);
        around.reload_is_coming = false;
        around.reload_excuse = "somebody has to";
        check_fault(&w, "0A1B is revoked, and not replaced yet");
        w.job.revoked = NULL;
        check_fault(&w, NULL);
}

TEST(a_staple_that_is_demanded_and_missing) {
        static const struct {
                const char *what;
                DecisionAction action;
                DecisionReason reason;
                bool must_staple, stapling, by_crl, is_good, answered, is_static;
                const char *expected;
        } cases[] = {
                { "auto", DECISION_WAIT, REASON_WINDOW, true, true, false, false, false, false, "the responder is silent" },
                { "MDRenewMode manual", DECISION_NOTHING, REASON_MANUAL, true, true, false, false, false, false, "the responder is silent" },
                { "MDCertificateFile", DECISION_NOTHING, REASON_MANUAL, true, true, false, false, false, true, "the responder is silent" },
                { "held back", DECISION_WAIT, REASON_HELD, true, true, false, false, false, false, "the responder is silent" },
                { "not demanded", DECISION_NOTHING, REASON_MANUAL, false, true, false, false, false, false, NULL },
                { "stapled", DECISION_NOTHING, REASON_MANUAL, true, true, false, true, false, false, NULL },
                { "not asked yet", DECISION_NOTHING, REASON_MANUAL, true, true, false, false, true, false, NULL },
                { "MDStapling off", DECISION_NOTHING, REASON_MANUAL, true, false, false, false, false, false, NULL },
                { "a list staples nothing", DECISION_NOTHING, REASON_MANUAL, true, true, true, false, false, false, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                World w;

                test_case("%s", cases[i].what);
                world_init(&w);
                w.domain.decision.action = cases[i].action;
                w.domain.decision.reason = cases[i].reason;
                w.facts.must_staple = cases[i].must_staple;
                w.config.stapling = cases[i].stapling;
                w.config.cert_files = cases[i].is_static ? files : NULL;
                around.known = (OcspKnown){ .source = cases[i].by_crl ? "crl" : "ocsp", .status = cases[i].is_good ? "good" : "unknown",
                                            .last = cases[i].answered ? NULL : &silence };
                check_fault(&w, cases[i].expected);
        }
}

TEST(a_certificate_of_the_administrators) {
        World w;

        world_init(&w);
        w.config.cert_files = files;
        w.domain.decision = (Decision){ .action = DECISION_NOTHING, .reason = REASON_MANUAL };
        check_fault(&w, NULL);
        around.known = (OcspKnown){ .source = "ocsp", .status = "revoked" };
        check_fault(&w, "0A1B, of MDCertificateFile, is revoked");
}

TEST(a_timer_that_cannot_be_set) {
        World w;

        world_init(&w);
        check_fault(&w, NULL);
        around.timer_trouble = "no permission";
        check_fault(&w, "Its timer cannot be set: no permission");
}

TEST(a_domain_that_is_left_to_itself) {
        World w;

        world_init(&w);
        around.is_stalled = true;
        check_fault(&w, "Nothing will happen to it");
        w.domain.decision = (Decision){ .action = DECISION_NOTHING };
        check_fault(&w, "Nothing will happen to it");
}
