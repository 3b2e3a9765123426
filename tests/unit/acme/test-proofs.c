/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/proofs.h"

#include <string.h>

#include "acme/problem.h"
#include "way.h"

/* Validation */

TEST(validation_fails) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE, SAY_POLL("pending"), SAY_POLL("invalid"),
                FAILED_AUTHZ("example.org", "1"),
        };

        RUN(lines, ACCOUNT);
        CHECK(r < 0);
        REQUIRE(p != NULL);
        CHECK_STR(p->type, PROBLEM_ACME_PREFIX "connection");
        CHECK_STR(p->detail, "The CA could not validate example.org (http-01): example.org is off");
        CHECK_STR(p->activity, "validating example.org");
        CHECK_UINT(p->status, 400);
        CHECK(p->subproblems && strstr(p->subproblems, "\"x\""));
        CHECK(strstr(text(&s.calls), "gone") == NULL);
}

TEST(several_validations_fail) {
        static const ScriptLine lines[] = {
                OPENING, { "POST new-order " CA "new-order", 201, "Location: " CA "o/1", THREE_NAMES },
                SAY_AUTHZ_OF("a.test", "1", "pending", "pending"), SAY_AUTHZ_OF("b.test", "2", "pending", "pending"),
                SAY_AUTHZ_OF("c.test", "3", "pending", "pending"),
                SAY_CHALLENGE_OF("1"), SAY_CHALLENGE_OF("2"), SAY_CHALLENGE_OF("3"), SAY_POLL("invalid"),
                SAY_AUTHZ_OF("a.test", "1", "valid", "valid"), FAILED_AUTHZ("b.test", "2"), FAILED_AUTHZ("c.test", "3"),
        };

        RUN(lines, ACCOUNT);
        CHECK(r < 0);
        REQUIRE(p != NULL);
        CHECK_STR(p->detail, "The CA could not validate b.test (http-01): b.test is off");
        CHECK_STR(p->activity, "validating a.test and 2 more");
        REQUIRE(p->subproblems != NULL);
        CHECK(strstr(p->subproblems, "b.test is off") != NULL);
        CHECK(strstr(p->subproblems, "c.test is off") != NULL);
        CHECK(strstr(p->subproblems, "\"a.test\"") == NULL);
}

TEST(validation_fails_without_words) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE, SAY_POLL("invalid"),
                { "POST post-as-get " CA "a/1", 404, "", "" },
        };

        RUN(lines, ACCOUNT);
        CHECK(r < 0);
        CHECK(says(p, "the order is invalid"));
}

TEST(challenges_in_the_order_of_preference) {
        static char *const types[] = { (char *) "tls-alpn-01", (char *) "dns-01", (char *) "http-01", NULL };
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), { "POST challenge " CA "c/1/dns", 200, "", "{}" }, SAY_POLL("ready"),
                SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN(lines, ACCOUNT, .challenge_types = types);
        CHECK_INT(r, 0);
        CHECK(strstr(text(&s.calls), "setup dns:example.org dns-01 dns1\n") != NULL);
}

/* dns-persist-01 */

#define PERSISTENT(more)                                                                                                                \
        { "POST post-as-get " CA "a/1", 200, "",                                                                                        \
          "{\"status\": \"pending\", \"identifier\": {\"type\": \"dns\", \"value\": \"example.org\"}, \"challenges\": [{\"type\": \"dns-persist-01\"," \
          " \"url\": \"" CA "c/1\", \"status\": \"pending\"" more "}]}" }

static char *const persistent_type[] = { (char *) "dns-persist-01", NULL };

TEST(a_record_that_is_there_for_good) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"), PERSISTENT(", \"issuer-domain-names\": [\"b.example\", \"a.example\"]"), SAY_CHALLENGE, SAY_POLL("ready"),
                SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN_WITH(lines, s.checking = true, ACCOUNT, .challenge_types = persistent_type);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\norder " CA "o/1\npersistent dns:example.org b.example,a.example -\n"
                                  "check dns:example.org dns-persist-01\ndeliver\n");
}

TEST(a_record_with_the_cas_name_for_the_account) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"),
                PERSISTENT(", \"token\": \"tok\", \"accounturi\": \"urn:x:1\", \"issuer-domain-names\": [\"a.example\"]"), SAY_CHALLENGE, SAY_POLL("ready"),
                SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN(lines, ACCOUNT, .challenge_types = persistent_type);
        CHECK_INT(r, 0);
        CHECK(strstr(text(&s.calls), "persistent dns:example.org a.example urn:x:1\n") != NULL);
}

TEST(records_that_cannot_be_told) {
#define ELEVEN "\"a.example\", \"a.example\", \"a.example\", \"a.example\", \"a.example\", \"a.example\", \"a.example\", \"a.example\", \"a.example\", \"a.example\", \"a.example\""
        static const ScriptLine offers[] = {
                PERSISTENT(""),
                PERSISTENT(", \"token\": \"tok\""),
                PERSISTENT(", \"issuer-domain-names\": []"),
                PERSISTENT(", \"issuer-domain-names\": \"a.example\""),
                PERSISTENT(", \"issuer-domain-names\": [\"a.example\", 1]"),
                PERSISTENT(", \"issuer-domain-names\": [\"A.example\"]"),
                PERSISTENT(", \"issuer-domain-names\": [\"a.example.\"]"),
                PERSISTENT(", \"issuer-domain-names\": [\"a.example; accounturi=x\"]"),
                PERSISTENT(", \"issuer-domain-names\": [\"\"]"),
                PERSISTENT(", \"issuer-domain-names\": [" ELEVEN "]"),
                PERSISTENT(", \"issuer-domain-names\": [\"a.example\"], \"accounturi\": \"x; policy=wildcard\""),
                PERSISTENT(", \"issuer-domain-names\": [\"a.example\"], \"accounturi\": \"\""),
        };

        for (size_t i = 0; i < ELEMENTSOF(offers); i++) {
                const ScriptLine lines[] = { SAY_DIRECTORY, SAY_NONCE, SAY_NEW_ORDER("pending"), offers[i] };

                test_case("%s", offers[i].body);
                RUN(lines, ACCOUNT, .challenge_types = persistent_type);
                CHECK(r < 0);
                REQUIRE(p != NULL);
                CHECK_STR(p->type, PROBLEM_TYPE_CHALLENGE_MISMATCH);
                CHECK(strstr(text(&s.calls), "persistent") == NULL);
        }
}

/* Falling through to the next type */

static char *const both_types[] = { (char *) "http-01", (char *) "tls-alpn-01", (char *) "dns-01", NULL };

TEST(the_next_type_when_one_cannot_be_set_up) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), { "POST challenge " CA "c/1/dns", 200, "", "{}" }, SAY_POLL("ready"),
                SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN_WITH(lines, s.failing_setups = "http-01", ACCOUNT, .challenge_types = both_types);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\norder " CA "o/1\n"
                                  "setup dns:example.org http-01 tok1\nsetup dns:example.org dns-01 dns1\ndeliver\n");
}

TEST(no_type_can_be_set_up) {
        static const ScriptLine lines[] = { OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending") };

        RUN_WITH(lines, s.failing_setups = "http-01 dns-01", ACCOUNT, .challenge_types = both_types);
        CHECK(r < 0);
        REQUIRE(p != NULL);
        CHECK_STR(p->type, PROBLEM_TYPE_CHALLENGE_SETUP);
        CHECK_STR(p->detail, "There is no way left to prove example.org: http-01: setup of http-01 failed; dns-01: setup of dns-01 failed");
        CHECK_STR(p->activity, "setting up dns-01 for example.org");
        REQUIRE(p->subproblems != NULL);
        CHECK(strstr(p->subproblems, "http-01: setup") && strstr(p->subproblems, "dns-01: setup") && strstr(p->subproblems, "\"example.org\""));
}

TEST(all_is_set_up_before_anything_is_checked_and_checked_before_the_ca_is_told) {
        static const ScriptLine lines[] = {
                OPENING, { "POST new-order " CA "new-order", 201, "Location: " CA "o/1", THREE_NAMES },
                SAY_AUTHZ_OF("a.test", "1", "pending", "pending"), SAY_AUTHZ_OF("b.test", "2", "valid", "valid"),
                SAY_AUTHZ_OF("c.test", "3", "pending", "pending"),
                { "POST challenge " CA "c/1/dns", 200, "", "{}" }, SAY_CHALLENGE_OF("3"), SAY_POLL("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN_WITH(lines, (s.checking = true, s.failing_checks = "http-01:a.test"), ACCOUNT, .challenge_types = both_types);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\norder " CA "o/1\nsetup dns:a.test http-01 tok1\nsetup dns:c.test http-01 tok3\n"
                                  "check dns:a.test http-01\nsetup dns:a.test dns-01 dns1\ncheck dns:a.test dns-01\ncheck dns:c.test http-01\n"
                                  "deliver\n");
}

TEST(what_fails_here_costs_nothing_at_the_ca) {
        static const ScriptLine lines[] = {
                OPENING, { "POST new-order " CA "new-order", 201, "Location: " CA "o/1", THREE_NAMES },
                SAY_AUTHZ_OF("a.test", "1", "pending", "pending"), SAY_AUTHZ_OF("b.test", "2", "pending", "pending"),
                SAY_AUTHZ_OF("c.test", "3", "pending", "pending"),
        };

        RUN_WITH(lines, (s.checking = true, s.failing_checks = "http-01:a.test dns-01:a.test http-01:c.test", s.failing_setups = "dns-01:c.test"),
                 ACCOUNT, .challenge_types = both_types);
        CHECK(r < 0);
        REQUIRE(p != NULL);
        CHECK_STR(p->type, PROBLEM_TYPE_CHALLENGE_SETUP);
        CHECK_STR(p->detail, "There is no way left to prove a.test (likewise 1 more): http-01: check of http-01 failed; dns-01: check of dns-01 failed");
        REQUIRE(p->subproblems != NULL);
        CHECK(strstr(p->subproblems, "c.test") && strstr(p->subproblems, "dns-01: setup of dns-01 failed") && !strstr(p->subproblems, "b.test"));
}

TEST(what_the_ca_was_told_by_an_earlier_run_is_gone_on_with) {
        static const ScriptLine lines[] = {
                OPENING, SAY_POLL("pending"), SAY_AUTHZ_OF("example.org", "1", "pending", "processing"), SAY_POLL("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
        };
        static char *const types[] = { (char *) "dns-01", (char *) "http-01", NULL };

        RUN_WITH(lines, (s.checking = true, s.failing_checks = "http-01"), ACCOUNT, ORDER, .challenge_types = types);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\nsetup dns:example.org http-01 tok1\ndeliver\n");
}

TEST(addresses_and_wildcards) {
        static const ScriptLine lines[] = {
                OPENING, { "POST new-order " CA "new-order", 201, "Location: " CA "o/1",
                           "{\"status\": \"pending\", \"finalize\": \"" CA "o/1/f\", \"authorizations\": [\"" CA "a/1\", \"" CA "a/2\"]}" },
                { "POST post-as-get " CA "a/1", 200, "",
                  "{\"status\": \"pending\", \"identifier\": {\"type\": \"ip\", \"value\": \"2001:db8::1\"}, \"challenges\": ["
                  "{\"type\": \"HTTP-01\", \"url\": \"" CA "c/1\", \"token\": \"tok1\", \"status\": \"pending\"}]}" },
                { "POST post-as-get " CA "a/2", 200, "",
                  "{\"status\": \"pending\", \"wildcard\": true, \"identifier\": {\"type\": \"dns\", \"value\": \"w.test\"}, \"challenges\": ["
                  "{\"type\": \"dns-01\", \"url\": \"" CA "c/2\", \"token\": \"tok2\", \"status\": \"pending\"}]}" },
                SAY_CHALLENGE_OF("1"), SAY_CHALLENGE_OF("2"), SAY_POLL("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN(lines, ACCOUNT, .challenge_types = both_types);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\norder " CA "o/1\nsetup ip:2001:db8::1 http-01 tok1\nsetup dns:w.test dns-01 tok2\ndeliver\n");
}
