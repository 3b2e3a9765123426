/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/renewal.h"

#include <errno.h>
#include <string.h>

#include "acme/problem.h"
#include "way.h"

TEST(the_whole_way) {
        static const ScriptLine lines[] = {
                OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE, SAY_POLL("ready"),
                SAY_FINALIZE("processing"), SAY_VALID, SAY_CHAIN,
        };

        RUN(lines, .ca.user_agent = "test/1");
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\n"
                                  "account " CA "acct/1\n"
                                  "order " CA "o/1\n"
                                  "setup dns:example.org http-01 tok1\n"
                                  "deliver\n");
        CHECK_STR(text(&s.waits), "30 30");
        CHECK_STR(text(&s.nonces), "n1 n2 n3 n4 n5 n6 n7 n8");
        CHECK(str_has_suffix(text(&s.accepts), "application/json\napplication/pem-certificate-chain\n"));
}

TEST(an_account_is_there) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE, SAY_POLL("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.waits), "30");
}

TEST(the_ca_found_the_account) {
        static const ScriptLine lines[] = {
                OPENING, { "POST new-account " CA "new-account", 200, "Location: " CA "acct/7", "" },
                SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN(lines);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\naccount " CA "acct/7\norder " CA "o/1\ndeliver\n");
}

TEST(everything_is_proved_already) {
        static const ScriptLine lines[] = { OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("valid"), SAY_POLL("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
}

TEST(many_names) {
        static const ScriptLine lines[] = {
                OPENING, { "POST new-order " CA "new-order", 201, "Location: " CA "o/1", THREE_NAMES },
                SAY_AUTHZ_OF("a.test", "1", "pending", "pending"), SAY_AUTHZ_OF("b.test", "2", "valid", "valid"),
                SAY_AUTHZ_OF("c.test", "3", "pending", "pending"),
                SAY_CHALLENGE_OF("1"), SAY_CHALLENGE_OF("3"), SAY_POLL("pending"), SAY_POLL("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\norder " CA "o/1\nsetup dns:a.test http-01 tok1\nsetup dns:c.test http-01 tok3\ndeliver\n");
        CHECK_STR(text(&s.waits), "30 100");
}

/* Orders of an earlier run */

static const struct {
        const char *what;
        ScriptLine lines[12];
} resumed[] = {
        { "pending", { OPENING, SAY_POLL("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE, SAY_POLL("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN } },
        { "told already", { OPENING, SAY_POLL("pending"), SAY_AUTHZ_OF("example.org", "1", "pending", "processing"), SAY_POLL("ready"),
                            SAY_VALID_AT_ONCE, SAY_CHAIN } },
        { "ready", { OPENING, SAY_POLL("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN } },
        { "processing", { OPENING, SAY_POLL("processing"), SAY_POLL("processing"), SAY_VALID, SAY_CHAIN } },
        { "valid", { OPENING, SAY_VALID, SAY_CHAIN } },
        { "finalized, and the CA is slow to notice", { OPENING, SAY_POLL("ready"),
                                                       { "POST finalize " CA "o/1/f", 403, PROBLEM_HEAD, SCRIPT_PROBLEM("orderNotReady", "no") },
                                                       SAY_POLL("processing"), SAY_VALID, SAY_CHAIN } },
};

TEST(resumed_orders) {
        for (size_t i = 0; i < ELEMENTSOF(resumed); i++) {
                _auto_script_ Script s = {};
                _auto_problem_ Problem *p = NULL;

                test_case("%s", resumed[i].what);
                script_init(&s, resumed[i].lines, count_lines(resumed[i].lines, ELEMENTSOF(resumed[i].lines)));
                CHECK_INT(script_run(&s, (AcmeRenewal){ ACCOUNT, ORDER }, &p), 0);
                CHECK_UINT(s.next, s.n_lines);
                CHECK(strstr(text(&s.calls), "order ") == NULL);
                CHECK(str_has_suffix(text(&s.calls), "deliver\n"));
        }
}

#define SAY_GONE(status, body) { "POST post-as-get " CA "o/1", status, PROBLEM_HEAD, body }
#define SAY_DEAD(status) { "POST post-as-get " CA "a/1", 200, "", SCRIPT_AUTHZ(status) }

static const struct {
        const char *what;
        ScriptLine lines[12];
} gone[] = {
        { "404", { OPENING, SAY_GONE(404, SCRIPT_PROBLEM("malformed", "no such order")), AFRESH } },
        { "404 without words", { OPENING, SAY_GONE(404, ""), AFRESH } },
        { "403", { OPENING, SAY_GONE(403, SCRIPT_PROBLEM("unauthorized", "not yours")), AFRESH } },
        { "401", { OPENING, SAY_GONE(401, SCRIPT_PROBLEM("unauthorized", "not yours")), AFRESH } },
        { "invalid", { OPENING, SAY_POLL("invalid"), AFRESH } },
        { "authorization failed", { OPENING, SAY_POLL("pending"), SAY_DEAD("invalid"), AFRESH } },
        { "authorization expired", { OPENING, SAY_POLL("pending"), SAY_DEAD("expired"), AFRESH } },
        { "authorization deactivated", { OPENING, SAY_POLL("pending"), SAY_DEAD("deactivated"), AFRESH } },
        { "authorization revoked", { OPENING, SAY_POLL("pending"), SAY_DEAD("revoked"), AFRESH } },
        { "authorization forgotten", { OPENING, SAY_POLL("pending"), { "POST post-as-get " CA "a/1", 404, "", "" }, AFRESH } },
};

TEST(orders_that_are_gone) {
        for (size_t i = 0; i < ELEMENTSOF(gone); i++) {
                _auto_script_ Script s = {};
                _auto_problem_ Problem *p = NULL;

                test_case("%s", gone[i].what);
                script_init(&s, gone[i].lines, count_lines(gone[i].lines, ELEMENTSOF(gone[i].lines)));
                CHECK_INT(script_run(&s, (AcmeRenewal){ ACCOUNT, ORDER }, &p), 0);
                CHECK_UINT(s.next, s.n_lines);
                CHECK(str_has_prefix(text(&s.calls), "directory\ngone "));
                CHECK(str_has_suffix(text(&s.calls), "\norder " CA "o/1\ndeliver\n"));
        }
}

TEST(an_order_without_a_usable_address) {
        static const ScriptLine lines[] = { OPENING, AFRESH };

        RUN(lines, ACCOUNT, .order_url = "http://ca.test/o/1");
        CHECK_INT(r, 0);
        CHECK(str_has_prefix(text(&s.calls), "directory\ngone "));
}

TEST(a_new_order_that_is_dead_is_replaced) {
        static const ScriptLine lines[] = { OPENING, SAY_NEW_ORDER("pending"), SAY_DEAD("invalid"), AFRESH };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
}

TEST(but_only_once) {
        static const ScriptLine lines[] = { OPENING, SAY_NEW_ORDER("pending"), SAY_DEAD("invalid"), SAY_NEW_ORDER("pending"), SAY_DEAD("deactivated") };

        RUN(lines, ACCOUNT);
        CHECK(r < 0);
        CHECK(says(p, "example.org is deactivated"));
        CHECK_STR(text(&s.calls), "directory\norder " CA "o/1\ngone The authorization of example.org is invalid, and the CA does not say why\n"
                                  "order " CA "o/1\n");
}

TEST(the_ca_has_trouble_with_an_old_order) {
        static const ScriptLine lines[] = { OPENING, { "POST post-as-get " CA "o/1", 500, "Retry-After: 60", "" } };

        RUN(lines, ACCOUNT, ORDER);
        CHECK(r < 0);
        REQUIRE(p != NULL);
        CHECK_UINT(p->status, 500);
        CHECK_UINT(p->retry_after_usec, SCRIPT_START_USEC + 60 * USEC_PER_SEC);
        CHECK_STR(text(&s.calls), "directory\n");
}

/* What a CA can do to us: the script, and what is said then. */

#define LONG_STRING "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
        const char *what;
        ScriptLine lines[12];
        const char *type, *words, *activity;
} failures[] = {
        { "nobody there", { { "GET " CA "dir", 0 } }, PROBLEM_TYPE_CONNECTION, "ca.test", "reading the directory of the CA" },
        { "agreement wanted", { OPENING, { "POST new-account " CA "new-account", 403, PROBLEM_HEAD, SCRIPT_PROBLEM("userActionRequired", "agree") } },
          PROBLEM_ACME_PREFIX "userActionRequired", "agree", "registering an account" },
        { "account without address", { OPENING, { "POST new-account " CA "new-account", 201, "", "{}" } }, PROBLEM_TYPE_BAD_ANSWER, "'Location'",
          "registering an account" },
        { "account at http", { OPENING, { "POST new-account " CA "new-account", 201, "Location: http://ca.test/a", "{}" } }, PROBLEM_TYPE_BAD_ANSWER,
          "'Location'", "registering an account" },
        { "account is dead", { OPENING, { "POST new-account " CA "new-account", 200, "Location: " CA "a/1", "{\"status\": \"revoked\"}" } },
          PROBLEM_TYPE_BAD_ANSWER, "'revoked'", "registering an account" },
        { "rate limit", { OPENING, SAY_ACCOUNT, { "POST new-order " CA "new-order", 429, "Retry-After: 60", SCRIPT_PROBLEM("rateLimited", "too many") } },
          PROBLEM_ACME_PREFIX "rateLimited", "too many", "ordering the certificate" },
        { "order without address", { OPENING, SAY_ACCOUNT, { "POST new-order " CA "new-order", 201, "", SCRIPT_ORDER("pending", "") } },
          PROBLEM_TYPE_BAD_ANSWER, "'Location'", "ordering the certificate" },
        { "order is no JSON", { OPENING, SAY_ACCOUNT, { "POST new-order " CA "new-order", 201, "Location: " CA "o/1", "<html>" } },
          PROBLEM_TYPE_BAD_ANSWER, "not JSON", "ordering the certificate" },
        { "order is an array", { OPENING, SAY_ACCOUNT, { "POST new-order " CA "new-order", 201, "Location: " CA "o/1", "[]" } },
          PROBLEM_TYPE_BAD_ANSWER, "not a JSON object", "ordering the certificate" },
        { "order with a strange status", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("relaxed") }, PROBLEM_TYPE_BAD_ANSWER, "'status'",
          "ordering the certificate" },
        { "order without authorizations", { OPENING, SAY_ACCOUNT, { "POST new-order " CA "new-order", 201, "Location: " CA "o/1",
                                            "{\"status\": \"pending\", \"finalize\": \"" CA "f\"}" } },
          PROBLEM_TYPE_BAD_ANSWER, "'authorizations'", "ordering the certificate" },
        { "authorization at http", { OPENING, SAY_ACCOUNT, { "POST new-order " CA "new-order", 201, "Location: " CA "o/1",
                                     "{\"status\": \"pending\", \"finalize\": \"" CA "f\", \"authorizations\": [\"http://ca.test/a\"]}" } },
          PROBLEM_TYPE_BAD_ANSWER, "'authorizations'", "ordering the certificate" },
        { "finalize elsewhere", { OPENING, SAY_ACCOUNT, { "POST new-order " CA "new-order", 201, "Location: " CA "o/1",
                                  "{\"status\": \"pending\", \"finalize\": \"ftp://x/\", \"authorizations\": [\"" CA "a/1\"]}" } },
          PROBLEM_TYPE_BAD_ANSWER, "'finalize'", "ordering the certificate" },
        { "authorization without identifier", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("pending"),
                                                { "POST post-as-get " CA "a/1", 200, "", "{\"status\": \"pending\", \"challenges\": []}" } },
          PROBLEM_TYPE_BAD_ANSWER, "'identifier'", "asking what is to be proved" },
        { "authorization without challenges", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("pending"),
                                                { "POST post-as-get " CA "a/1", 200, "",
                                                  "{\"status\": \"pending\", \"identifier\": {\"type\": \"dns\", \"value\": \"x\"}}" } },
          PROBLEM_TYPE_BAD_ANSWER, "'challenges'", "asking what is to be proved" },
        { "authorization with a strange status", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("pending"), SAY_AUTHZ("happy") },
          PROBLEM_TYPE_BAD_ANSWER, "'status'", "asking what is to be proved" },
        { "no challenge of ours", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("pending"),
                                    { "POST post-as-get " CA "a/1", 200, "",
                                      "{\"status\": \"pending\", \"wildcard\": true, \"identifier\": {\"type\": \"dns\", \"value\": \"example.org\"},"
                                      " \"challenges\": [{\"type\": \"dns-01\", \"url\": \"" CA "c\", \"token\": \"t\", \"status\": \"pending\"}, 7, {}]}" } },
          PROBLEM_TYPE_CHALLENGE_MISMATCH, "*.example.org that both sides can do: the CA offers dns-01, allowed here: http-01",
          "asking what is to be proved" },
        { "token that is a path", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("pending"),
                                    { "POST post-as-get " CA "a/1", 200, "",
                                      "{\"status\": \"pending\", \"identifier\": {\"type\": \"dns\", \"value\": \"example.org\"}, \"challenges\": ["
                                      "{\"type\": \"http-01\", \"url\": \"" CA "c\", \"token\": \"../../x\", \"status\": \"pending\"}]}" } },
          PROBLEM_TYPE_CHALLENGE_MISMATCH, "nothing that can be used", "asking what is to be proved" },
        { "challenge refused", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"),
                                 { "POST challenge " CA "c/1", 400, PROBLEM_HEAD, SCRIPT_PROBLEM("malformed", "no") } },
          PROBLEM_ACME_PREFIX "malformed", "no", "validating example.org" },
        { "bad CSR", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("ready"),
                       { "POST finalize " CA "o/1/f", 400, PROBLEM_HEAD, SCRIPT_PROBLEM("badCSR", "weak key") } },
          PROBLEM_ACME_PREFIX "badCSR", "weak key", "finalizing the order" },
        { "issuance fails", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("ready"), SAY_FINALIZE("processing"),
                              { "POST post-as-get " CA "o/1", 200, "",
                                SCRIPT_ORDER("invalid", ", \"error\": " SCRIPT_PROBLEM("serverInternal", "HSM on fire")) } },
          PROBLEM_ACME_PREFIX "serverInternal", "HSM on fire", "waiting for the certificate" },
        { "valid without certificate", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("ready"), SAY_FINALIZE("valid") }, PROBLEM_TYPE_BAD_ANSWER,
          "'certificate'", "finalizing the order" },
        { "certificate is HTML", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE,
                                   { "POST post-as-get " CA "cert/1", 200, "Content-Type: text/html", "<html>" } },
          PROBLEM_TYPE_BAD_ANSWER, "it is 'text/html'", "downloading the certificate" },
        { "certificate is empty", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, { "POST post-as-get " CA "cert/1", 200, "", "" } },
          PROBLEM_TYPE_BAD_ANSWER, "it is empty", "downloading the certificate" },
        { "certificate is no PEM", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE,
                                     { "POST post-as-get " CA "cert/1", 200, "Content-Type: application/pem-certificate-chain", LONG_STRING } },
          PROBLEM_TYPE_BAD_ANSWER, "no PEM", "downloading the certificate" },
        { "certificate with a NUL byte", { OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE,
                                           { "POST post-as-get " CA "cert/1", 200, "", SCRIPT_CHAIN "\0" SCRIPT_CHAIN, 2 * sizeof(SCRIPT_CHAIN) } },
          PROBLEM_TYPE_BAD_ANSWER, "no PEM", "downloading the certificate" },
};

TEST(failing_cas) {
        for (size_t i = 0; i < ELEMENTSOF(failures); i++) {
                _auto_script_ Script s = {};
                _auto_problem_ Problem *p = NULL;

                test_case("%s", failures[i].what);
                script_init(&s, failures[i].lines, count_lines(failures[i].lines, ELEMENTSOF(failures[i].lines)));
                CHECK(script_run(&s, (AcmeRenewal){}, &p) < 0);
                CHECK_UINT(s.next, s.n_lines);
                if (!CHECK(p != NULL))
                        continue;
                CHECK_STR(p->type, failures[i].type);
                if (!CHECK(says(p, failures[i].words)))
                        CHECK_STR(p->detail, failures[i].words);
                CHECK_STR(p->activity, failures[i].activity);
                CHECK(strstr(text(&s.calls), "deliver") == NULL);
        }
}

TEST(ten_megabytes) {
        static char page[ACME_BODY_MAX + 1];
        const ScriptLine lines[] = { OPENING, { "POST new-order " CA "new-order", 200, "", page, sizeof(page) } };

        RUN(lines, ACCOUNT);
        CHECK(r < 0);
        REQUIRE(p != NULL);
        CHECK_STR(p->type, PROBLEM_TYPE_BAD_ANSWER);
}

/* Time */

TEST(the_ca_says_when_to_come_back) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE,
                { "POST post-as-get " CA "o/1", 200, "Retry-After: 7", SCRIPT_ORDER("pending", "") }, SAY_POLL("ready"),
                { "POST finalize " CA "o/1/f", 200, "Retry-After: 5", SCRIPT_ORDER("processing", "") }, SAY_VALID, SAY_CHAIN,
        };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.waits), "30 7000 5000");
}

TEST(troubles_that_pass) {
        /* The request that met nobody has used up a nonce for nothing. */
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE,
                { "POST post-as-get " CA "o/1", 503, "Retry-After: 4", "<html>busy" }, { "POST post-as-get " CA "o/1", 0 },
                { "HEAD " CA "nonce", 503, "-" }, SAY_NONCE,
                { "POST post-as-get " CA "o/1", 429, PROBLEM_HEAD, SCRIPT_PROBLEM("rateLimited", "slow down") }, SAY_POLL("ready"),
                SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.waits), "30 4000 200 400 800");
}

TEST(troubles_that_do_not_pass) {
#define TROUBLE { "POST post-as-get " CA "o/1", 500, "", "oops" }
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("processing"), TROUBLE, TROUBLE, TROUBLE, TROUBLE, TROUBLE, TROUBLE, TROUBLE, TROUBLE, TROUBLE, TROUBLE,
        };

        RUN(lines, ACCOUNT);
        CHECK(r < 0);
        REQUIRE(p != NULL);
        CHECK_STR(p->type, PROBLEM_TYPE_HTTP);
        CHECK_UINT(p->status, 500);
}

TEST(a_poll_with_a_final_word) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("processing"), { "POST post-as-get " CA "o/1", 400, PROBLEM_HEAD, SCRIPT_PROBLEM("malformed", "no") },
        };

        RUN(lines, ACCOUNT);
        CHECK(r < 0);
        CHECK(acme_problem_is(p, "malformed"));
}

TEST(the_ca_is_slow) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE, SAY_POLL("pending"), SAY_POLL("pending"),
                SAY_POLL("pending"), SAY_AUTHZ("pending"),
        };

        RUN(lines, ACCOUNT, .step_timeout_usec = 200 * USEC_PER_MSEC);
        CHECK_INT(r, -ETIMEDOUT);
        REQUIRE(p != NULL);
        CHECK_STR(p->type, PROBLEM_TYPE_TIMEOUT);
        CHECK_STR(text(&s.waits), "30 100 70");
        CHECK(says(p, "within 200ms, while validating example.org (the order is pending)"));
}

TEST(the_ca_is_slow_to_become_ready) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE, SAY_POLL("pending"), SAY_POLL("pending"),
                SAY_AUTHZ("valid"), SAY_POLL("pending"), SAY_POLL("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN(lines, ACCOUNT, .step_timeout_usec = 100 * USEC_PER_MSEC);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.waits), "30 70 30 70");
}

TEST(an_order_that_does_not_notice_a_failure) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE, SAY_POLL("pending"), FAILED_AUTHZ("example.org", "1"),
        };

        RUN(lines, ACCOUNT, .step_timeout_usec = 30 * USEC_PER_MSEC);
        CHECK(r < 0);
        CHECK(says(p, "example.org is off"));
}

TEST(the_ca_wants_more_time_than_there_is) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("ready"), { "POST finalize " CA "o/1/f", 200, "Retry-After: 3600", SCRIPT_ORDER("processing", "") },
        };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, -ETIMEDOUT);
        REQUIRE(p != NULL);
        CHECK_STR(p->type, PROBLEM_TYPE_TIMEOUT);
        CHECK_UINT(p->retry_after_usec, SCRIPT_START_USEC + USEC_PER_HOUR);
        CHECK_STR(text(&s.waits), "");
}

TEST(a_status_that_goes_in_circles) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("ready"), SAY_FINALIZE("pending"), SAY_POLL("ready"), SAY_FINALIZE("pending"), SAY_POLL("ready"),
                SAY_FINALIZE("pending"), SAY_POLL("ready"), SAY_FINALIZE("pending"), SAY_POLL("ready"), SAY_FINALIZE("pending"),
                SAY_POLL("ready"), SAY_FINALIZE("pending"), SAY_POLL("ready"),
        };

        RUN(lines, ACCOUNT);
        CHECK(r < 0);
        CHECK(says(p, "goes in circles"));
}

TEST(never_ready) {
#define NOT_READY { "POST finalize " CA "o/1/f", 403, PROBLEM_HEAD, SCRIPT_PROBLEM("orderNotReady", "no") }
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("ready"), NOT_READY, SAY_POLL("ready"), NOT_READY, SAY_POLL("ready"), NOT_READY, SAY_POLL("ready"),
                NOT_READY, SAY_POLL("ready"), NOT_READY,
        };

        RUN(lines, ACCOUNT);
        CHECK(r < 0);
        CHECK(acme_problem_is(p, "orderNotReady"));
        CHECK_STR(text(&s.waits), "100 200 400 800");
}

/* The signer */

TEST(failing_signer) {
        static const ScriptLine lines[] = {
                OPENING, SAY_ACCOUNT, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE, SAY_POLL("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
        };
        static const struct {
                const char *callback;
                size_t n_lines;
                const char *activity;
        } cases[] = {
                { "directory", 1, "reading the directory of the CA"    },
                { "sign",      2, "registering an account"             },
                { "account",   3, "registering an account"             },
                { "order",     4, "ordering the certificate"           },
                { "setup",     5, "setting up http-01 for example.org" },
                { "deliver",   9, "delivering the certificate"         },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_script_ Script s = {};
                _auto_problem_ Problem *p = NULL;
                _auto_free_ char *words = str_printf("%s failed", cases[i].callback);

                test_case("%s", cases[i].callback);
                script_init(&s, lines, ELEMENTSOF(lines));
                s.failing = cases[i].callback;
                CHECK_INT(script_run(&s, (AcmeRenewal){}, &p), -EIO);
                CHECK_UINT(s.next, cases[i].n_lines);
                if (!CHECK(p != NULL))
                        continue;
                CHECK_STR(p->detail, words);
                CHECK_STR(p->activity, cases[i].activity);
        }
}

static int broken_wait(void *userdata, uint64_t usec, Problem **ret_problem) {
        return -ECONNRESET;
}

TEST(the_signer_goes_away_while_we_wait) {
        static const ScriptLine lines[] = { OPENING, SAY_NEW_ORDER("pending"), SAY_AUTHZ("pending"), SAY_CHALLENGE };
        static char *const types[] = { (char *) "http-01", NULL };
        _cleanup_(acme_session_freep) AcmeSession *session = NULL;
        _auto_script_ Script s = {};
        _auto_problem_ Problem *p = NULL;
        AcmeTransport transport;
        AcmeSigner signer;

        script_init(&s, lines, ELEMENTSOF(lines));
        transport = script_transport(&s);
        signer = script_signer(&s);
        signer.wait = broken_wait;
        session = acme_session_new_with(&transport);
        REQUIRE(session != NULL);
        CHECK_INT(acme_renewal_run(session, &(AcmeRenewal){ .ca.directory_url = CA "dir", ACCOUNT, .challenge_types = types }, &signer, &p), -ECONNRESET);
        REQUIRE(p != NULL);
        CHECK_STR(p->type, PROBLEM_TYPE_INTERNAL);
}

/* Sessions and settings */

TEST(two_renewals_in_one_session) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
                SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
        };
        _cleanup_(acme_session_freep) AcmeSession *session = NULL;
        _auto_script_ Script s = {};
        _auto_problem_ Problem *p = NULL;
        AcmeRenewal renewal = { .ca.directory_url = CA "dir", ACCOUNT };
        AcmeTransport transport;
        AcmeSigner signer;

        script_init(&s, lines, ELEMENTSOF(lines));
        transport = script_transport(&s);
        signer = script_signer(&s);
        session = acme_session_new_with(&transport);
        REQUIRE(session != NULL);
        CHECK_INT(acme_renewal_run(session, &renewal, &signer, &p), 0);
        CHECK_INT(acme_renewal_run(session, &renewal, &signer, &p), 0);
        CHECK_UINT(s.next, s.n_lines);
}

/* A CA that is reached in another way is another one: nothing is carried over. */
TEST(what_makes_another_ca) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN, OPENING, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
        };
        static const AcmeCa others[] = {
                { .directory_url = CA "dir", .ca_file = "/ca.pem"                  },
                { .directory_url = CA "dir", .proxy = "http://user:pw@proxy:3128"  },
                { .directory_url = CA "dir", .proxy_ca_file = "/proxy-ca.pem"      },
        };

        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                _cleanup_(acme_session_freep) AcmeSession *session = NULL;
                _auto_script_ Script s = {};
                _auto_problem_ Problem *p = NULL;
                AcmeTransport transport;
                AcmeSigner signer;

                test_case("%zu", i);
                script_init(&s, lines, ELEMENTSOF(lines));
                transport = script_transport(&s);
                signer = script_signer(&s);
                session = acme_session_new_with(&transport);
                REQUIRE(session != NULL);
                CHECK_INT(acme_renewal_run(session, &(AcmeRenewal){ .ca.directory_url = CA "dir", ACCOUNT }, &signer, &p), 0);
                CHECK(!s.last_proxy && !s.last_proxy_ca_file && !s.last_ca_file);
                CHECK_INT(acme_renewal_run(session, &(AcmeRenewal){ .ca = others[i], ACCOUNT }, &signer, &p), 0);
                CHECK_STR(s.last_ca_file, others[i].ca_file);
                CHECK_STR(s.last_proxy, others[i].proxy);
                CHECK_STR(s.last_proxy_ca_file, others[i].proxy_ca_file);
                s.last_ca_file = s.last_proxy = s.last_proxy_ca_file = NULL;
                CHECK_UINT(s.next, s.n_lines);
        }
}

TEST(a_directory_that_is_no_https_url) {
        static const char *const urls[] = { "", "http://ca.test/dir", "http://localhost:14000/dir", "ca.test" };

        for (size_t i = 0; i < ELEMENTSOF(urls); i++) {
                _auto_script_ Script s = {};
                _auto_problem_ Problem *p = NULL;
                _cleanup_(acme_session_freep) AcmeSession *session = NULL;
                AcmeTransport transport;
                AcmeSigner signer;

                test_case("'%s'", urls[i]);
                script_init(&s, NULL, 0);
                transport = script_transport(&s);
                signer = script_signer(&s);
                session = acme_session_new_with(&transport);
                if (!CHECK(session != NULL))
                        return;
                CHECK_INT(acme_renewal_run(session, &(AcmeRenewal){ .ca.directory_url = urls[i] }, &signer, &p), -EINVAL);
                if (CHECK(p != NULL))
                        CHECK_STR(p->type, PROBLEM_TYPE_SETTING);
        }
}

TEST(kinds_of_request) {
        for (AcmeRequestKind kind = 0; kind < _ACME_REQUEST_KIND_MAX; kind++) {
                AcmeRequestKind back = _ACME_REQUEST_KIND_MAX;

                CHECK_INT(acme_request_kind_from_string(acme_request_kind_to_string(kind), &back), 0);
                CHECK_INT(back, kind);
        }
        CHECK_STR(acme_request_kind_to_string(ACME_REQUEST_POST_AS_GET), "post-as-get");
        CHECK(acme_request_kind_from_string("anything", &(AcmeRequestKind){ 0 }) < 0);
}
