/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/decision.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"

#define T0 ((uint64_t) 1700000000 * USEC_PER_SEC)
#define DAY USEC_PER_DAY
#define LAST_THIRD (T0 + 90 * DAY - 90 * DAY / 100 * 33)
#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER_FINGERPRINT "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CA "https://ca.example/dir"
#define OTHER_CA "https://other.example/dir"
#define ARI_ID "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"

/* One good certificate of 90 days in a domain that is in use. */
typedef struct World {
        ManagedDomain *d;
        CertFactsList live;
        Job *job;
        DecisionContext context;
        Decision decision;
} World;

static void world_done(World *w) {
        decision_done(&w->decision);
        managed_domain_free(w->d);
        cert_facts_list_done(&w->live);
        job_free(w->job);
}

static void make(World *w) {
        CertFacts f = { .spec = strdup("rsa"),
                        .names = strv_split("example.org", " "),
                        .key_matches = true,
                        .key_type = KEY_TYPE_RSA,
                        .key_bits = 2048,
                        .sha256 = strdup(FINGERPRINT),
                        .ari_id = strdup(ARI_ID),
                        .not_before_usec = T0,
                        .not_after_usec = T0 + 90 * DAY };

        w->d = managed_domain_new("example.org");
        w->job = job_new("example.org");
        w->context = (DecisionContext){ .served = true };
        REQUIRE(w->d && w->job && cert_facts_list_take(&w->live, &f) == 0);
        w->d->used = true;
        (void) strv_extend(&w->d->ca_urls, CA);
}

static void expect(World *w, uint64_t now, DecisionAction action, DecisionReason reason, uint64_t at) {
        decision_done(&w->decision);
        REQUIRE(decision_make(w->d, &w->live, w->job, &w->context, now, &w->decision) == 0);
        CHECK_STR(decision_action_to_string(w->decision.action), decision_action_to_string(action));
        CHECK_STR(decision_reason_to_string(w->decision.reason), decision_reason_to_string(reason));
        CHECK_UINT(w->decision.at_usec, at);
        CHECK(w->decision.detail);
}

static void suggest(World *w, uint64_t chosen, const char *url) {
        JobRenewalInfo *i = job_keep_renewal_info(w->job, "rsa", ARI_ID);

        REQUIRE(i);
        i->start_usec = chosen - DAY;
        i->end_usec = chosen + DAY;
        i->chosen_usec = chosen;
        (void) str_replace(&i->explanation_url, url);
}

TEST(must_staple_in_both_directions) {
        _cleanup_(world_done) World w = {};

        make(&w);
        w.d->must_staple = true;
        expect(&w, T0 + DAY, DECISION_RENEW, REASON_MUST_STAPLE, 0);
        w.live.items[0].must_staple = true;
        expect(&w, T0 + DAY, DECISION_WAIT, REASON_WINDOW, LAST_THIRD);
        w.d->must_staple = false;
        expect(&w, T0 + DAY, DECISION_RENEW, REASON_MUST_STAPLE, 0);
}

TEST(revoked) {
        _cleanup_(world_done) World w = {};

        make(&w);
        CHECK_INT(job_note_revoked(w.job, "ff" FINGERPRINT), 0);
        expect(&w, T0 + DAY, DECISION_WAIT, REASON_WINDOW, LAST_THIRD);
        CHECK_INT(job_note_revoked(w.job, FINGERPRINT), 0);
        expect(&w, T0 + DAY, DECISION_RENEW, REASON_REVOKED, 0);
        for (unsigned i = 0; i < 2 * JOB_REVOKED_MAX; i++) {
                char other[65];

                (void) snprintf(other, sizeof(other), "%064u", i);
                CHECK_INT(job_note_revoked(w.job, other), 0);
        }
        CHECK_UINT(strv_length(w.job->revoked), JOB_REVOKED_MAX);
        CHECK_STR(w.job->revoked[JOB_REVOKED_MAX - 1], "0000000000000000000000000000000000000000000000000000000000000063");
}

TEST(another_ca) {
        _cleanup_(world_done) World w = {};

        make(&w);
        (void) str_replace(&w.job->live_ca_url, OTHER_CA);
        expect(&w, T0 + DAY, DECISION_RENEW, REASON_CA_CHANGED, 0);
        w.d->renew_on_ca_change = false;
        expect(&w, T0 + DAY, DECISION_WAIT, REASON_WINDOW, LAST_THIRD);
        w.d->renew_on_ca_change = true;
        (void) strv_extend(&w.d->ca_urls, OTHER_CA); /* one of several is as good as the first */
        expect(&w, T0 + DAY, DECISION_WAIT, REASON_WINDOW, LAST_THIRD);
        (void) str_replace(&w.job->live_ca_url, NULL); /* nobody knows */
        expect(&w, T0 + DAY, DECISION_WAIT, REASON_WINDOW, LAST_THIRD);
}

TEST(the_word_of_the_ca) {
        _cleanup_(world_done) World w = {};

        make(&w);
        suggest(&w, T0 + 20 * DAY, NULL);
        expect(&w, T0 + DAY, DECISION_WAIT, REASON_RENEWAL_INFO, T0 + 20 * DAY);
        CHECK_UINT(decision_renew_at_usec(w.d, &w.live, w.job), T0 + 20 * DAY);
        expect(&w, T0 + 20 * DAY, DECISION_RENEW, REASON_RENEWAL_INFO, 0);
        suggest(&w, T0 + 20 * DAY, "https://ca.example/why");
        expect(&w, T0 + 21 * DAY, DECISION_RENEW, REASON_RENEWAL_INFO, 0);
        CHECK(strstr(w.decision.detail, "https://ca.example/why"));
        suggest(&w, T0 + 80 * DAY, NULL); /* later than we would do it */
        expect(&w, T0 + DAY, DECISION_WAIT, REASON_WINDOW, LAST_THIRD);
        suggest(&w, T0 - 20 * DAY, NULL); /* at once */
        expect(&w, T0 + DAY, DECISION_RENEW, REASON_RENEWAL_INFO, 0);
        w.d->ari = false;
        expect(&w, T0 + DAY, DECISION_WAIT, REASON_WINDOW, LAST_THIRD);
        w.d->ari = true;
        (void) str_replace(&w.live.items[0].ari_id, "b3RoZXI.AA"); /* it was said of another certificate */
        expect(&w, T0 + DAY, DECISION_WAIT, REASON_WINDOW, LAST_THIRD);
}

TEST(held_back) {
        _cleanup_(world_done) World w = {};

        make(&w);
        w.context.held_until_usec = T0 + 85 * DAY;
        w.context.held_why = "the CA wants it so";
        expect(&w, T0 + DAY, DECISION_WAIT, REASON_WINDOW, LAST_THIRD); /* there is nothing to hold */
        expect(&w, T0 + 80 * DAY, DECISION_WAIT, REASON_HELD, T0 + 85 * DAY);
        CHECK(strstr(w.decision.detail, "the CA wants it so"));
        expect(&w, T0 + 86 * DAY, DECISION_RENEW, REASON_WINDOW, 0);
        w.job->asked = true; /* somebody knows better */
        expect(&w, T0 + 80 * DAY, DECISION_RENEW, REASON_ASKED, 0);
}

TEST(activation_delay) {
        _cleanup_(world_done) World w = {};

        make(&w);
        w.context.staged_complete = true;
        w.context.activation_delay_usec = 2 * DAY;
        w.job->staged_usec = T0 + 70 * DAY;
        expect(&w, T0 + 71 * DAY, DECISION_WAIT, REASON_ACTIVATION_DELAY, T0 + 72 * DAY);
        expect(&w, T0 + 72 * DAY, DECISION_ACTIVATE, REASON_STAGED, 0);
        w.context.activation_delay_usec = 100 * DAY; /* never longer than the certificate that it waits for lives */
        expect(&w, T0 + 71 * DAY, DECISION_WAIT, REASON_ACTIVATION_DELAY, T0 + 90 * DAY);
        expect(&w, T0 + 90 * DAY, DECISION_ACTIVATE, REASON_STAGED, 0);
        (void) managed_domain_add_name(w.d, "www.example.org"); /* what is live is not good enough to wait */
        expect(&w, T0 + 71 * DAY, DECISION_ACTIVATE, REASON_STAGED, 0);
        cert_facts_list_done(&w.live);
        w.live = (CertFactsList){};
        expect(&w, T0 + 71 * DAY, DECISION_ACTIVATE, REASON_STAGED, 0);
}

static void issue(World *w, unsigned n, uint64_t when) {
        while (n-- > 0)
                job_note_issued(w->job, when);
}

/* A second key beside the first, with a certificate like its. */
static void add_key(World *w) {
        KeySpec specs[] = { { .type = KEY_TYPE_RSA, .bits = 2048 }, { .type = KEY_TYPE_EC, .curve = "P-256" } };
        char name[KEY_SPEC_NAME_MAX];
        CertFacts f = { .spec = strdup(key_spec_name(&specs[1], name)),
                        .names = strv_split("example.org", " "),
                        .key_matches = true,
                        .key_type = KEY_TYPE_EC,
                        .key_bits = 256,
                        .not_before_usec = w->live.items[0].not_before_usec,
                        .not_after_usec = w->live.items[0].not_after_usec };

        for (size_t i = 0; i < ELEMENTSOF(specs); i++)
                w->d->keys.items[i] = specs[i];
        w->d->keys.n = ELEMENTSOF(specs);
        (void) str_replace(&w->live.items[0].spec, key_spec_name(&specs[0], name));
        REQUIRE(cert_facts_list_take(&w->live, &f) == 0);
}

static void live_for(World *w, uint64_t begin, uint64_t life, uint64_t received) {
        for (size_t i = 0; i < w->live.n; i++) {
                w->live.items[i].not_before_usec = begin;
                w->live.items[i].not_after_usec = begin + life;
                w->live.items[i].received_usec = received;
        }
}

TEST(budget) {
        _cleanup_(world_done) World w = {};

        make(&w);
        w.context.certificates_per_week = 3;
        for (unsigned i = 0; i < 3; i++)
                issue(&w, 1, T0 + (78 + i) * DAY);
        expect(&w, T0 + 81 * DAY, DECISION_WAIT, REASON_BUDGET, T0 + 85 * DAY);
        CHECK(strstr(w.decision.detail, "CertificatesPerWeek=") && strstr(w.decision.detail, "--force"));
        expect(&w, T0 + 85 * DAY, DECISION_RENEW, REASON_WINDOW, 0);
        w.job->asked = true;
        expect(&w, T0 + 81 * DAY, DECISION_RENEW, REASON_ASKED, 0);
        w.job->asked = false;
        w.context.certificates_per_week = 0;
        expect(&w, T0 + 81 * DAY, DECISION_RENEW, REASON_WINDOW, 0);
}

TEST(budget_of_two_keys_is_that_of_one) {
        _cleanup_(world_done) World w = {};

        make(&w);
        add_key(&w);
        w.context.certificates_per_week = 4;
        issue(&w, 2, T0 + 79 * DAY);
        expect(&w, T0 + 81 * DAY, DECISION_RENEW, REASON_WINDOW, 0);
        issue(&w, 1, T0 + 80 * DAY); /* the first of two; the second one failed, and is all that is still to be had */
        expect(&w, T0 + 81 * DAY, DECISION_WAIT, REASON_BUDGET, T0 + 86 * DAY);
        w.context.n_staged = 1;
        expect(&w, T0 + 81 * DAY, DECISION_RENEW, REASON_WINDOW, 0);
        w.context.n_staged = 0;
        issue(&w, 1, T0 + 80 * DAY);
        expect(&w, T0 + 81 * DAY, DECISION_WAIT, REASON_BUDGET, T0 + 86 * DAY);
}

/* However long it goes on, and whatever is asked for: in no seven days there are more than the budget. */
static void go_in_circles(World *w, uint64_t life, DecisionReason reason) {
        uint64_t begin = T0, obtained[64];
        size_t n = 0, keys = w->live.n;

        live_for(w, begin, life, begin);
        if (reason == REASON_KEY_SPEC)
                w->live.items[0].key_bits = 1024;
        for (uint64_t now = begin + life; now < begin + life + 20 * DAY; now += USEC_PER_HOUR) {
                decision_done(&w->decision);
                REQUIRE(decision_make(w->d, &w->live, w->job, &w->context, now, &w->decision) == 0);
                if (w->decision.action != DECISION_RENEW)
                        continue;
                for (size_t i = 0; i < keys; i++) {
                        REQUIRE(n < ELEMENTSOF(obtained));
                        obtained[n++] = now;
                }
                issue(w, (unsigned) keys, now); /* and what came of it is lost again: the live set stays as it is */
        }
        CHECK(n >= 8);
        for (size_t i = 4; i < n; i++)
                CHECK(obtained[i] - obtained[i - 4] >= 7 * DAY);
}

TEST(nothing_in_circles_uses_up_the_limit) {
        static const struct {
                const char *what;
                bool two_keys;
                uint64_t life;
                DecisionReason reason;
        } cases[] = {
                { "expired, one key",            false, 90 * DAY,        REASON_EXPIRED  },
                { "expired, two keys",           true,  90 * DAY,        REASON_EXPIRED  },
                { "the wrong key",               false, 90 * DAY,        REASON_KEY_SPEC },
                { "a life of 160 hours",         false, 160 * USEC_PER_HOUR, REASON_EXPIRED },
                { "… with two keys",             true,  160 * USEC_PER_HOUR, REASON_EXPIRED },
                { "… and the wrong key",         true,  160 * USEC_PER_HOUR, REASON_KEY_SPEC },
                { "a life of a day",             false, DAY,             REASON_EXPIRED  },
                { "a life of a minute",          true,  USEC_PER_MINUTE, REASON_EXPIRED  },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(world_done) World w = {};

                test_case("%s", cases[i].what);
                make(&w);
                if (cases[i].two_keys)
                        add_key(&w);
                w.context.certificates_per_week = 4;
                go_in_circles(&w, cases[i].life, cases[i].reason);
        }
}

TEST(short_lives_are_renewed_as_often_as_they_need) {
        static const struct {
                const char *what;
                uint64_t life, backdated;
        } cases[] = {
                { "160 hours, an hour back", 160 * USEC_PER_HOUR, USEC_PER_HOUR },
                { "a day, an hour back",     DAY, USEC_PER_HOUR },
                { "ten minutes",             10 * USEC_PER_MINUTE, 0 },
                { "a minute",                USEC_PER_MINUTE, 0 },
                { "most of it back",         10 * USEC_PER_HOUR, 8 * USEC_PER_HOUR },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(world_done) World w = {};
                uint64_t now = T0;

                test_case("%s", cases[i].what);
                make(&w);
                add_key(&w);
                w.context.certificates_per_week = 4;
                for (unsigned k = 0; k < 3 * JOB_ISSUED_MAX; k++) {
                        issue(&w, 2, now);
                        live_for(&w, now - cases[i].backdated, cases[i].life, now);
                        now = decision_renew_at_usec(w.d, &w.live, w.job);
                        expect(&w, now - 1, DECISION_WAIT, REASON_WINDOW, now);
                        expect(&w, now, DECISION_RENEW, REASON_WINDOW, 0);
                }
                (void) managed_domain_add_name(w.d, "www.example.org"); /* what is no matter of age waits until they are due, and no longer */
                expect(&w, now - 1, DECISION_WAIT, REASON_BUDGET, now);
                expect(&w, now, DECISION_RENEW, REASON_NAMES, 0);
                issue(&w, 1, now); /* the first key's; the second key's attempt failed */
                w.context.n_staged = 1;
                expect(&w, now + 1, DECISION_RENEW, REASON_NAMES, 0);
        }
}

TEST(static_files_are_the_administrators) {
        _cleanup_(world_done) World w = {};

        make(&w);
        (void) strv_extend(&w.d->cert_files, "/etc/ssl/a.pem");
        w.d->renew_mode = RENEW_MODE_MANUAL;
        expect(&w, T0 + 80 * DAY, DECISION_NOTHING, REASON_MANUAL, 0);
        CHECK(strstr(w.decision.detail, "MDCertificateFile"));
}

TEST(what_a_job_remembers) {
        _cleanup_(world_done) World w = {};
        _cleanup_(job_freep) Job *again = NULL;
        _auto_json_ JsonObject *o = NULL;
        const JobRenewalInfo *i;

        make(&w);
        suggest(&w, T0 + 20 * DAY, "https://ca.example/why");
        w.job->renewal_info[0].next_poll_usec = T0 + DAY;
        w.job->renewal_info[0].failures = 2;
        job_note_issued(w.job, T0);
        job_note_issued(w.job, T0 + DAY);
        (void) job_note_revoked(w.job, FINGERPRINT);
        (void) job_note_revoked_told(w.job, OTHER_FINGERPRINT);
        (void) str_replace(&w.job->live_ca_url, CA);
        (void) str_replace(&w.job->live_account, "ACME-ca.example-0000");
        w.job->ca_errors = 7;
        w.job->staged_usec = T0 + 5 * USEC_PER_SEC;
        REQUIRE(job_to_json(w.job, &o) == 0 && job_from_json("example.org", o, &again) == 0);
        i = job_find_renewal_info(again, "rsa");
        REQUIRE(i);
        CHECK_STR(i->id, ARI_ID);
        CHECK_UINT(i->start_usec, T0 + 19 * DAY);
        CHECK_UINT(i->end_usec, T0 + 21 * DAY);
        CHECK_UINT(i->chosen_usec, T0 + 20 * DAY);
        CHECK_UINT(i->next_poll_usec, T0 + DAY);
        CHECK_UINT(i->failures, 2);
        CHECK_STR(i->explanation_url, "https://ca.example/why");
        CHECK_UINT(again->issued_usec[0], T0 + DAY);
        CHECK_UINT(again->issued_usec[1], T0);
        CHECK_UINT(again->issued_usec[2], 0);
        CHECK_STR(again->revoked[0], FINGERPRINT);
        CHECK(job_is_revoked_told(again, FINGERPRINT) && job_is_revoked_told(again, OTHER_FINGERPRINT) && !job_is_revoked_told(again, "ff"));
        CHECK_UINT(strv_length(again->revoked), 1);
        CHECK_STR(again->live_ca_url, CA);
        CHECK_STR(again->live_account, "ACME-ca.example-0000");
        CHECK_UINT(again->ca_errors, 7);
        CHECK_UINT(again->staged_usec, T0 + 5 * USEC_PER_SEC);
}

TEST(what_nobody_believes) {
        static const char *const texts[] = {
                "{\"renewal-info\":[{\"spec\":\"rsa\",\"id\":\"a b\"},{\"spec\":\"\",\"id\":\"a.b\"},7,null,{}]}",
                "{\"renewal-info\":{},\"issued\":\"x\",\"revoked\":[1],\"live\":[]}",
                "{\"issued\":[-5,\"x\",0],\"revoked\":[\"xx\"],\"live\":{\"ca-url\":\"gopher://x\",\"account\":\"../x\"},\"ca-errors\":-1}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(job_freep) Job *j = NULL;
                _auto_json_ JsonObject *o = NULL;

                test_case("%s", texts[i]);
                REQUIRE(json_parse(texts[i], strlen(texts[i]), &o, NULL) == 0);
                CHECK_INT(job_from_json("example.org", o, &j), 0);
                REQUIRE(j);
                CHECK(j->n_renewal_info == 0 && j->issued_usec[0] == 0 && !j->revoked && !j->live_ca_url && !j->live_account && j->ca_errors == 0);
        }
}

static void another_ca(World *w) {
        (void) str_replace(&w->job->live_ca_url, OTHER_CA);
}

static void another_key(World *w) {
        w->live.items[0].key_bits = 1024;
}

static void want_staple(World *w) {
        w->d->must_staple = true;
}

static void be_suggested(World *w) {
        suggest(w, T0 + DAY / 2, NULL);
}

static void another_name(World *w) {
        (void) managed_domain_add_name(w->d, "www.example.org");
}

static void be_revoked(World *w) {
        (void) job_note_revoked(w->job, FINGERPRINT);
}

static void lose_key(World *w) {
        w->live.items[0].key_matches = false;
}

TEST(what_was_put_back_is_kept) {
        static const struct {
                const char *what;
                void (*change)(World *w);
                DecisionReason reason;
        } choices[] = {
                { "another CA", another_ca, REASON_CA_CHANGED },
                { "another kind of key", another_key, REASON_KEY_SPEC },
                { "must-staple", want_staple, REASON_MUST_STAPLE },
                { "the CA's suggestion", be_suggested, REASON_RENEWAL_INFO },
        };

        for (size_t i = 0; i < ELEMENTSOF(choices); i++) {
                _cleanup_(world_done) World w = {};

                test_case("%s", choices[i].what);
                make(&w);
                choices[i].change(&w);
                expect(&w, T0 + DAY, DECISION_RENEW, choices[i].reason, 0);
                w.job->rolled_back = true;
                expect(&w, T0 + DAY, DECISION_WAIT, REASON_WINDOW, LAST_THIRD);
                CHECK(strstr(w.decision.detail, "was put back"));
                expect(&w, LAST_THIRD, DECISION_RENEW, REASON_WINDOW, 0);
        }
}

TEST(what_was_put_back_is_due_all_the_same) {
        static const struct {
                const char *what;
                void (*change)(World *w);
                DecisionReason reason;
        } needs[] = {
                { "a name is not covered", another_name, REASON_NAMES },
                { "it is revoked", be_revoked, REASON_REVOKED },
                { "its key is lost", lose_key, REASON_KEY_MISMATCH },
        };

        for (size_t i = 0; i < ELEMENTSOF(needs); i++) {
                _cleanup_(world_done) World w = {};

                test_case("%s", needs[i].what);
                make(&w);
                needs[i].change(&w);
                w.job->rolled_back = true;
                expect(&w, T0 + DAY, DECISION_RENEW, needs[i].reason, 0);
        }
}

TEST(what_is_left_of_its_life_counts) {
        _cleanup_(world_done) World w = {};
        uint64_t put_back = LAST_THIRD + DAY, end = T0 + 90 * DAY;

        make(&w);
        w.job->rolled_back = true;
        w.live.items[0].received_usec = put_back;
        expect(&w, put_back, DECISION_WAIT, REASON_WINDOW, end - (end - put_back) / 100 * 33 - (end - put_back) % 100 * 33 / 100);
        w.d->renew_window = (Window){ .usec = 60 * DAY };
        expect(&w, put_back, DECISION_WAIT, REASON_WINDOW, end - (end - put_back) / 3 * 2);
}

TEST(putting_back_waits_for_no_delay) {
        _cleanup_(world_done) World w = {};

        make(&w);
        w.context.staged_complete = true;
        w.context.activation_delay_usec = DAY;
        w.job->staged_usec = T0 + 10 * DAY;
        expect(&w, T0 + 10 * DAY, DECISION_WAIT, REASON_ACTIVATION_DELAY, T0 + 11 * DAY);
        w.job->rollback = 7;
        expect(&w, T0 + 10 * DAY, DECISION_ACTIVATE, REASON_STAGED, 0);
}
