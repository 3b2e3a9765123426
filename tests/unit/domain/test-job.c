/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/job.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"

#define T0 ((uint64_t) 1700000000 * USEC_PER_SEC)

static char *text_of(const Job *j) {
        _auto_json_ JsonObject *o = NULL;

        return job_to_json(j, &o) == 0 ? json_format_short(o) : NULL;
}

static int parse(const char *text, Job **ret) {
        _auto_json_ JsonObject *o = NULL;

        if (!CHECK_INT(json_parse(text, strlen(text), &o, NULL), 0))
                return -EIO;
        return job_from_json("example.org", o, ret);
}

TEST(empty_job) {
        _cleanup_(job_freep) Job *j = job_new("example.org"), *again = NULL;
        _auto_free_ char *text = text_of(j);

        CHECK_STR(text, "{\"name\":\"example.org\",\"phase\":\"idle\",\"finished\":false,\"errors\":0}");
        CHECK_INT(parse(text, &again), 0);
        REQUIRE(again);
        CHECK_STR(again->name, "example.org");
        CHECK(again->phase == JOB_PHASE_IDLE && !again->finished && again->errors == 0 && again->next_run_usec == 0);
        CHECK(!again->last && !again->log && !again->order_url);
}

#define VALUE_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define VALUE_B "_-BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

TEST(challenge_setups_are_kept) {
        _cleanup_(job_freep) Job *j = job_new("example.org"), *again = NULL;
        _auto_free_ char *text = NULL, *name = NULL;
        const char *value;

        REQUIRE(strv_consume(&j->challenge_setups, job_setup_format("example.org", VALUE_A)) == 0);
        REQUIRE(strv_consume(&j->challenge_setups, job_setup_format("example.org", VALUE_B)) == 0);
        job_forget_order(j);
        text = text_of(j);
        CHECK(strstr(text, "\"challenge-setups\":[\"dns-01:example.org " VALUE_A "\",\"dns-01:example.org " VALUE_B "\"]"));
        REQUIRE(parse(text, &again) == 0);
        CHECK(strv_equal(j->challenge_setups, again->challenge_setups));
        REQUIRE(job_setup_parse(again->challenge_setups[1], &name, &value));
        CHECK_STR(name, "example.org");
        CHECK_STR(value, VALUE_B);
}

TEST(challenge_setups_that_are_none) {
        static const char *const cases[] = {
                "", "dns-01:", "dns-01:example.org", "dns-01:example.org ", "dns-01:example.org AAAA", "dns-01: " VALUE_A, "http-01:example.org " VALUE_A,
                "dns-01:*.example.org " VALUE_A, "dns-01:192.0.2.1 " VALUE_A, "dns-01:a/b " VALUE_A, "dns-01:example.org " VALUE_A "A",
                "dns-01:example.org x " VALUE_A, "dns-01:example.org AAAAAAAAAAAAAAAAAAAAA;AAAAAAAAAAAAAAAAAAAAA",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(job_freep) Job *j = NULL;
                _auto_free_ char *text = str_printf("{\"challenge-setups\":[\"%s\",\"dns-01:example.org " VALUE_A "\"]}", cases[i]);
                const char *value = NULL;
                char *name = NULL;

                test_case("'%s'", cases[i]);
                CHECK(!job_setup_parse(cases[i], &name, &value));
                CHECK(!name && !value);
                REQUIRE(parse(text, &j) == 0);
                CHECK_UINT(strv_length(j->challenge_setups), 1);
        }
}

static Job *full_job(void) {
        Job *j = job_new("example.org");

        j->phase = JOB_PHASE_ORDERING;
        j->errors = 3;
        j->last_run_usec = T0;
        j->next_run_usec = T0 + 120 * USEC_PER_SEC;
        j->installed_usec = T0 - USEC_PER_DAY;
        j->last = problem_new(PROBLEM_ACME_PREFIX "rateLimited", "too many");
        j->last->status = 429;
        j->ca_url = strdup("https://ca.example/dir");
        j->account = strdup("ACME-ca.example-0000");
        j->order_url = strdup("https://ca.example/order/1");
        j->finalize_url = strdup("https://ca.example/order/1/finalize");
        (void) strv_extend(&j->authorizations, "https://ca.example/authz/1");
        (void) job_log_add(j, T0 - USEC_PER_SEC, "starting", NULL, NULL);
        (void) job_log_add(j, T0, "renewal-error", "rateLimited", "too many");
        return j;
}

TEST(json_has_the_members_of_mod_md) {
        _cleanup_(job_freep) Job *j = full_job();
        _auto_free_ char *text = text_of(j);

        CHECK_STR(text,
                  "{\"name\":\"example.org\",\"phase\":\"ordering\",\"finished\":false,"
                  "\"next-run\":\"Tue, 14 Nov 2023 22:15:20 GMT\",\"last-run\":\"Tue, 14 Nov 2023 22:13:20 GMT\","
                  "\"installed\":\"Mon, 13 Nov 2023 22:13:20 GMT\",\"errors\":3,"
                  "\"last\":{\"problem\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too many\",\"status\":429,"
                  "\"status-description\":\"rateLimited\"},"
                  "\"ca-url\":\"https://ca.example/dir\",\"account\":\"ACME-ca.example-0000\","
                  "\"order\":{\"url\":\"https://ca.example/order/1\",\"finalize\":\"https://ca.example/order/1/finalize\","
                  "\"authorizations\":[\"https://ca.example/authz/1\"]},"
                  "\"log\":{\"entries\":[{\"when\":\"Tue, 14 Nov 2023 22:13:20 "
                  "GMT\",\"type\":\"renewal-error\",\"status\":\"rateLimited\","
                  "\"detail\":\"too many\"},{\"when\":\"Tue, 14 Nov 2023 22:13:19 GMT\",\"type\":\"starting\"}]}}");
}

TEST(round_trip) {
        _cleanup_(job_freep) Job *j = full_job(), *again = NULL;
        _auto_free_ char *text = text_of(j), *text_again = NULL;

        CHECK_INT(parse(text, &again), 0);
        REQUIRE(again);
        text_again = text_of(again);
        CHECK_STR(text_again, text);
        CHECK_UINT(again->next_run_usec, j->next_run_usec);
        REQUIRE(CHECK_UINT(again->n_log, 2));
        CHECK_STR(again->log[0].type, "renewal-error");
        CHECK_STR(again->log[1].status, NULL);
}

TEST(what_was_asked_for_is_kept) {
        _cleanup_(job_freep) Job *j = job_new("example.org"), *again = NULL;
        _auto_free_ char *text = NULL;

        j->asked = true;
        text = text_of(j);
        CHECK_STR(text, "{\"name\":\"example.org\",\"phase\":\"idle\",\"finished\":false,\"asked\":true,\"errors\":0}");
        CHECK_INT(parse(text, &again), 0);
        REQUIRE(again);
        CHECK(again->asked);
}

TEST(keys_of_revoked_certificates) {
        _cleanup_(job_freep) Job *j = job_new("example.org"), *read = NULL, *odd = NULL;
        _auto_free_ char *text = NULL;
        char hash[65];

        REQUIRE(j);
        for (unsigned i = 0; i < JOB_REVOKED_MAX + 2; i++) {
                (void) snprintf(hash, sizeof(hash), "%064x", i);
                REQUIRE(job_note_revoked_key(j, hash) == 0);
                REQUIRE(job_note_revoked_key(j, hash) == 0);
        }
        CHECK_UINT(strv_length(j->revoked_keys), JOB_REVOKED_MAX);
        CHECK_STR(j->revoked_keys[JOB_REVOKED_MAX - 1], hash);
        CHECK(!j->revoked);

        text = text_of(j);
        REQUIRE(parse(text, &read) == 0);
        CHECK(strv_equal(read->revoked_keys, j->revoked_keys));
        REQUIRE(parse("{\"revoked-keys\":[\"abc\", \"../x\"]}", &odd) == 0);
        CHECK_UINT(strv_length(odd->revoked_keys), 0);
}

TEST(next_run_is_never_sooner_than_it_was) {
        _cleanup_(job_freep) Job *j = job_new("example.org"), *again = NULL;
        _auto_free_ char *text = NULL;

        j->next_run_usec = T0 + 1;
        text = text_of(j);
        CHECK_INT(parse(text, &again), 0);
        REQUIRE(again);
        CHECK_UINT(again->next_run_usec, T0 + USEC_PER_SEC);
}

TEST(success_is_told_as_mod_md_does) {
        _cleanup_(job_freep) Job *j = job_new("example.org"), *again = NULL;
        _auto_free_ char *text = NULL;

        j->last_run_usec = T0;
        j->finished = true;
        text = text_of(j);
        CHECK(text && strstr(text, "\"last\":{\"status\":0}"));
        CHECK_INT(parse(text, &again), 0);
        REQUIRE(again);
        CHECK(again->finished && !again->last);
}

TEST(phases) {
        for (JobPhase p = 0; p < _JOB_PHASE_MAX; p++) {
                JobPhase again = _JOB_PHASE_MAX;

                CHECK_INT(job_phase_from_string(job_phase_to_string(p), &again), 0);
                CHECK(again == p);
        }
        CHECK_STR(job_phase_to_string(_JOB_PHASE_MAX), NULL);
        CHECK_INT(job_phase_from_string("later", &(JobPhase){ 0 }), -EINVAL);
}

TEST(forgetting_an_order) {
        _cleanup_(job_freep) Job *j = full_job();

        job_forget_order(j);
        CHECK(!j->order_url && !j->finalize_url && !j->authorizations);
        CHECK_STR(j->ca_url, "https://ca.example/dir");
        CHECK_STR(j->account, "ACME-ca.example-0000");
        job_forget_order(j);
}

TEST(log_keeps_the_newest) {
        _cleanup_(job_freep) Job *j = job_new("example.org"), *again = NULL;
        _auto_free_ char *text = NULL;

        for (unsigned i = 0; i < JOB_LOG_MAX + 10; i++) {
                char detail[40];

                (void) snprintf(detail, sizeof(detail), "step %u", i);
                REQUIRE(job_log_add(j, T0 + i * USEC_PER_SEC, "progress", NULL, detail) == 0);
        }
        CHECK_UINT(j->n_log, JOB_LOG_MAX);
        CHECK_STR(j->log[0].detail, "step 137");
        CHECK_STR(j->log[JOB_LOG_MAX - 1].detail, "step 10");

        text = text_of(j);
        CHECK_INT(parse(text, &again), 0);
        REQUIRE(again);
        CHECK_UINT(again->n_log, JOB_LOG_MAX);
        CHECK_STR(again->log[JOB_LOG_MAX - 1].detail, "step 10");
}

TEST(log_is_printable_and_bounded) {
        _cleanup_(job_freep) Job *j = job_new("example.org");
        _auto_free_ char *longer = malloc(100001), *text = NULL;

        REQUIRE(longer);
        memset(longer, '"', 100000);
        longer[100000] = 0;
        CHECK_INT(job_log_add(j, T0, "progress", "a\nb", "c\033d"), 0);
        CHECK_STR(j->log[0].status, "a b");
        CHECK_STR(j->log[0].detail, "c?d");
        for (unsigned i = 0; i < JOB_LOG_MAX; i++)
                REQUIRE(job_log_add(j, T0, longer, longer, longer) == 0);
        text = text_of(j);
        CHECK(text && strlen(text) < JOB_SIZE_MAX);
}

TEST(many_authorizations_are_not_kept) {
        _cleanup_(job_freep) Job *j = full_job(), *again = NULL;
        _auto_free_ char *text = NULL;

        j->authorizations = strv_free(j->authorizations);
        j->authorizations = calloc(JOB_AUTHORIZATIONS_MAX + 2, sizeof(char *));
        REQUIRE(j->authorizations);
        for (unsigned i = 0; i <= JOB_AUTHORIZATIONS_MAX; i++)
                j->authorizations[i] = strdup("https://ca.example/authz");
        text = text_of(j);
        CHECK_INT(parse(text, &again), 0);
        REQUIRE(again);
        CHECK_STR(again->order_url, j->order_url);
        CHECK(!again->authorizations);
}

TEST(json_of_others) {
        static const char *const cases[] = {
                "{\"phase\":\"later\",\"errors\":-1,\"finished\":\"yes\",\"next-run\":7,\"last-run\":\"soon\"}",
                "{\"phase\":7,\"errors\":\"3\",\"log\":[],\"last\":[],\"order\":7,\"account\":7,\"ca-url\":7}",
                "{\"log\":{\"entries\":[null,7,{},{\"type\":7},\"x\"]}}",
                "{\"log\":{\"entries\":{}},\"last\":{\"status\":0}}",
                "{\"account\":\"../../etc\",\"ca-url\":\"file:///etc/passwd\"}",
                "{\"account\":\".hidden\"}",
                "{\"account\":\"\",\"ca-url\":\"\"}",
                "{\"order\":{\"url\":\"https://ca.example/o\"}}", /* at which CA? */
                "{\"order\":{\"url\":\"https://ca.example/ o\",\"finalize\":\"x\"}}",
                "{\"order\":{\"finalize\":\"https://ca.example/f\",\"authorizations\":[\"https://ca.example/a\"]}}",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(job_freep) Job *j = NULL;
                _auto_free_ char *text = NULL;

                test_case("%s", cases[i]);
                CHECK_INT(parse(cases[i], &j), 0);
                REQUIRE(j);
                text = text_of(j);
                CHECK_STR(text, "{\"name\":\"example.org\",\"phase\":\"idle\",\"finished\":false,\"errors\":0}");
        }
}

TEST(authorizations_that_are_none_leave_the_order) {
        _cleanup_(job_freep) Job *j = NULL;

        CHECK_INT(parse("{\"ca-url\":\"https://ca.example/dir\",\"order\":{\"url\":\"https://ca.example/"
                        "o\",\"authorizations\":[\"x\"]}}",
                        &j),
                  0);
        REQUIRE(j);
        CHECK_STR(j->order_url, "https://ca.example/o");
        CHECK(!j->authorizations);
}

TEST(counts_beyond_all_measure) {
        _cleanup_(job_freep) Job *j = NULL;

        CHECK_INT(parse("{\"errors\":99999999999}", &j), 0);
        REQUIRE(j);
        CHECK_UINT(j->errors, UINT_MAX);
}

TEST(no_object) {
        static const char *const cases[] = { "[]", "7", "null", "\"x\"" };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Job *j = NULL;

                test_case("%s", cases[i]);
                CHECK_INT(parse(cases[i], &j), -EBADMSG);
                CHECK(!j);
        }
}

TEST(what_was_put_back) {
        _cleanup_(job_freep) Job *j = job_new("example.org"), *again = NULL, *odd = NULL;
        _auto_free_ char *text = NULL;

        j->rollback = 12;
        j->rolled_back = true;
        text = text_of(j);
        REQUIRE(parse(text, &again) == 0);
        CHECK_UINT(again->rollback, 12);
        CHECK(again->rolled_back);
        REQUIRE(parse("{\"rollback\":-1,\"rolled-back\":\"x\"}", &odd) == 0);
        CHECK_UINT(odd->rollback, 0);
        CHECK(!odd->rolled_back);
}
