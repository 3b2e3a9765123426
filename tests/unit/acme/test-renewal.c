/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/renewal.h"

#include <errno.h>
#include <string.h>

#include "acme/problem.h"
#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "script.h"

#define ACCOUNT .account_url = CA "acct/1"
#define ORDER .order_url = CA "o/1"
#define OPENING SAY_DIRECTORY, SAY_NONCE
#define ENDING SAY_FINALIZE("valid"), SAY_CHAIN
#define SAY_VALID_AT_ONCE                                                                                                               \
        { "POST finalize " CA "o/1/f", 200, "-\nReplay-Nonce: f", SCRIPT_ORDER("valid", ", \"certificate\": \"" CA "cert/1\"") }

/* Plays the script to its last line. */
#define RUN(lines_, ...) RUN_WITH(lines_, , __VA_ARGS__)
#define RUN_WITH(lines_, settings_, ...)                                                \
        _auto_script_ Script s = {};                                                    \
        _auto_problem_ Problem *p = NULL;                                               \
        int r;                                                                          \
        script_init(&s, lines_, ELEMENTSOF(lines_));                                    \
        settings_;                                                                      \
        r = script_run(&s, (AcmeRenewal){ __VA_ARGS__ }, &p);                           \
        CHECK_UINT(s.next, s.n_lines);                                                  \
        CHECK((r < 0) == (p != NULL))

static bool says(const Problem *p, const char *words) {
        return p && strstr(p->detail, words);
}

static const char *text(const Buffer *b) {
        return str_or(b->data, "");
}

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

#define THREE_NAMES                                                                                                                     \
        "{\"status\": \"pending\", \"finalize\": \"" CA "o/1/f\", \"expires\": \"2026-11-29T00:00:00Z\", \"authorizations\": [\"" CA     \
        "a/1\", \"" CA "a/2\", \"" CA "a/3\"]}"
#define SAY_AUTHZ_OF(name, number, status, challenge)                                                                                   \
        { "POST post-as-get " CA "a/" number, 200, "", SCRIPT_AUTHZ_OF(name, number, status, challenge) }
#define SAY_CHALLENGE_OF(number) { "POST challenge " CA "c/" number, 200, "", "{}" }

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

static size_t count_lines(const ScriptLine *lines, size_t max) {
        size_t n = 0;

        while (n < max && lines[n].request)
                n++;
        return n;
}

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
#define AFRESH SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN
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

/* Accounts */

#define SAY_REJECTED(status, type) { "POST new-order " CA "new-order", status, PROBLEM_HEAD, SCRIPT_PROBLEM(type, "who are you?") }

#define SAY_LOOK(status, body) { "POST post-as-get " CA "acct/1", status, PROBLEM_HEAD, body }

TEST(unknown_account) {
        static const ScriptLine lines[] = { OPENING, SAY_REJECTED(400, "accountDoesNotExist"), SAY_ACCOUNT, AFRESH };

        RUN(lines, .account_url = CA "acct/0");
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\nrejected who are you?\naccount " CA "acct/1\norder " CA "o/1\ndeliver\n");
}

TEST(deactivated_account) {
        static const ScriptLine refused[] = { OPENING, SAY_REJECTED(401, "unauthorized"), SAY_LOOK(403, SCRIPT_PROBLEM("unauthorized", "gone")), SAY_ACCOUNT, AFRESH };
        static const ScriptLine told[] = { OPENING, SAY_REJECTED(403, "unauthorized"), SAY_LOOK(200, "{\"status\": \"deactivated\"}"), SAY_ACCOUNT, AFRESH };

        {
                RUN(refused, ACCOUNT);
                CHECK_INT(r, 0);
        }
        {
                RUN(told, ACCOUNT);
                CHECK_INT(r, 0);
                CHECK_STR(text(&s.calls), "directory\nrejected who are you?\naccount " CA "acct/1\norder " CA "o/1\ndeliver\n");
        }
}

/* What a CA says about the names, or does not say clearly, is nothing against the account. */
static const struct {
        const char *what;
        ScriptLine lines[4];
} working_accounts[] = {
        { "the account is valid", { OPENING, SAY_REJECTED(403, "unauthorized"), SAY_LOOK(200, "{\"status\": \"valid\"}") } },
        { "a page in HTML", { OPENING, SAY_REJECTED(403, "unauthorized"), { "POST post-as-get " CA "acct/1", 403, "Content-Type: text/html", "<html>no</html>" } } },
        { "nothing at all", { OPENING, SAY_REJECTED(401, "unauthorized"), { "POST post-as-get " CA "acct/1", 403, "", "" } } },
        { "out of order", { OPENING, SAY_REJECTED(403, "unauthorized"), SAY_LOOK(500, SCRIPT_PROBLEM("serverInternal", "oops")) } },
        { "no connection", { OPENING, SAY_REJECTED(403, "unauthorized"), { "POST post-as-get " CA "acct/1", 0 } } },
};

TEST(a_working_account_is_kept) {
        for (size_t i = 0; i < ELEMENTSOF(working_accounts); i++) {
                _auto_script_ Script s = {};
                _auto_problem_ Problem *p = NULL;

                test_case("%s", working_accounts[i].what);
                script_init(&s, working_accounts[i].lines, ELEMENTSOF(working_accounts[i].lines));
                CHECK(script_run(&s, (AcmeRenewal){ ACCOUNT }, &p) < 0);
                CHECK_UINT(s.next, s.n_lines);
                CHECK(acme_problem_is(p, "unauthorized"));
                CHECK(says(p, "who are you?"));
                CHECK_STR(p->activity, "ordering the certificate");
                CHECK_STR(text(&s.calls), "directory\nrefused who are you?\n");
        }
}

TEST(unknown_account_with_an_order) {
        static const ScriptLine lines[] = {
                OPENING, { "POST post-as-get " CA "o/1", 400, PROBLEM_HEAD, SCRIPT_PROBLEM("accountDoesNotExist", "who are you?") }, SAY_ACCOUNT, AFRESH,
        };

        RUN(lines, ACCOUNT, ORDER);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\ngone who are you?\nrejected who are you?\naccount " CA "acct/1\norder " CA "o/1\ndeliver\n");
}

TEST(registering_does_not_help) {
        static const ScriptLine lines[] = { OPENING, SAY_REJECTED(400, "accountDoesNotExist"), SAY_ACCOUNT, SAY_REJECTED(401, "unauthorized") };

        RUN(lines, ACCOUNT);
        CHECK(r < 0);
        CHECK(acme_problem_is(p, "unauthorized"));
}

TEST(a_new_account_is_not_rejected_by_us) {
        static const ScriptLine lines[] = { OPENING, SAY_ACCOUNT, SAY_REJECTED(403, "unauthorized") };

        RUN(lines);
        CHECK(r < 0);
        CHECK_STR(text(&s.calls), "directory\naccount " CA "acct/1\nrefused who are you?\n");
}

/* Orders that the CA does not make as they are */

TEST(another_order_when_one_is_refused) {
        static const ScriptLine lines[] = { OPENING, SAY_REJECTED(409, "alreadyReplaced"), SAY_REJECTED(400, "invalidProfile"), AFRESH };

        RUN_WITH(lines, s.orders_again = 2, ACCOUNT);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\nrefused who are you?\nrefused who are you?\norder " CA "o/1\ndeliver\n");
}

TEST(no_more_than_two_others) {
        static const ScriptLine lines[] = { OPENING, SAY_REJECTED(400, "malformed"), SAY_REJECTED(400, "malformed"), SAY_REJECTED(400, "malformed") };

        RUN_WITH(lines, s.orders_again = 99, ACCOUNT);
        CHECK(r < 0);
        CHECK(acme_problem_is(p, "malformed"));
        CHECK_STR(p->activity, "ordering the certificate");
}

TEST(the_contact_is_told_first) {
        static const ScriptLine lines[] = {
                OPENING, { "POST account-update " CA "acct/1", 200, "", "{\"status\": \"valid\"}" }, AFRESH,
        };

        RUN(lines, ACCOUNT, .update_account = true);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\naccount-done valid\norder " CA "o/1\ndeliver\n");
}

TEST(and_it_does_not_matter_when_the_ca_does_not_like_it) {
        static const ScriptLine lines[] = {
                OPENING, { "POST account-update " CA "acct/1", 400, PROBLEM_HEAD, SCRIPT_PROBLEM("invalidContact", "no such mail") }, AFRESH,
        };

        RUN(lines, ACCOUNT, .update_account = true);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\norder " CA "o/1\ndeliver\n");
        CHECK(strstr(text(&s.activities), "updating the account failed: no such mail\n") != NULL);
}

/* Chains */

#define SAY_CHAIN_WITH(links) { "POST post-as-get " CA "cert/1", 200, "Content-Type: application/pem-certificate-chain\n" links, SCRIPT_CHAIN }
#define SAY_ALTERNATE(path, status) { "POST post-as-get " CA path, status, "Content-Type: application/pem-certificate-chain", SCRIPT_CHAIN }

TEST(other_chains) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE,
                SAY_CHAIN_WITH("Link: <" CA "dir>;rel=\"index\"\nLink: <" CA "cert/1>;rel=alternate\n"
                               "Link: <1/alt/1>; rel=\"alternate\", </cert/1/alt/2>; title=\"x, y\"; rel=\"up alternate\"\nLink: </cert/1/alt/3>;rel=alternate"),
                SAY_ALTERNATE("cert/1/alt/1", 200), SAY_ALTERNATE("cert/1/alt/2", 404), SAY_ALTERNATE("cert/1/alt/3", 200),
        };

        RUN(lines, ACCOUNT, .want_alternates = true);
        CHECK_INT(r, 0);
        CHECK(str_has_suffix(text(&s.calls), "deliver 3\n"));
}

TEST(other_chains_are_left_alone_when_nobody_wants_them) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN_WITH("Link: <1/alt/1>; rel=\"alternate\""),
        };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
        CHECK(str_has_suffix(text(&s.calls), "deliver\n"));
}

TEST(a_chain_under_another_name) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, { "POST post-as-get " CA "cert/1", 200, "Content-Type: application/x-pem-file", SCRIPT_CHAIN },
        };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
}

TEST(a_server_from_before_post_as_get) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("processing"), { "POST post-as-get " CA "o/1", 405, "", "" },
                { "GET " CA "o/1", 200, "", SCRIPT_ORDER("valid", ", \"certificate\": \"" CA "cert/1\"") },
                { "POST post-as-get " CA "cert/1", 405, "", "" }, { "GET " CA "cert/1", 200, "", SCRIPT_CHAIN },
        };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
}

/* At most 9 + 2n requests for n names, polls aside. */
TEST(requests_for_25_names) {
        enum { N = 25 };
        static ScriptLine lines[6 + 2 * N + 3];
        static char order[4096] = "{\"status\": \"pending\", \"finalize\": \"" CA "o/1/f\", \"authorizations\": [";
        static char authz_request[N][64], authz[N][512], challenge_request[N][64];
        size_t n = 0, n_polls = 1;

        lines[n++] = (ScriptLine) SAY_DIRECTORY;
        lines[n++] = (ScriptLine) SAY_NONCE;
        lines[n++] = (ScriptLine) SAY_ACCOUNT;
        lines[n++] = (ScriptLine){ "POST new-order " CA "new-order", 201, "Location: " CA "o/1", order };
        for (int i = 0; i < N; i++) {
                (void) snprintf(order + strlen(order), sizeof(order) - strlen(order), "%s\"" CA "a/%d\"", i > 0 ? ", " : "", i);
                (void) snprintf(authz_request[i], sizeof(authz_request[i]), "POST post-as-get " CA "a/%d", i);
                (void) snprintf(authz[i], sizeof(authz[i]),
                                "{\"status\": \"pending\", \"identifier\": {\"type\": \"dns\", \"value\": \"n%d.test\"}, \"challenges\": ["
                                "{\"type\": \"http-01\", \"url\": \"" CA "c/%d\", \"token\": \"tok%d\", \"status\": \"pending\"}]}", i, i, i);
                (void) snprintf(challenge_request[i], sizeof(challenge_request[i]), "POST challenge " CA "c/%d", i);
                lines[n++] = (ScriptLine){ authz_request[i], 200, "", authz[i] };
        }
        strcat(order, "]}");
        for (int i = 0; i < N; i++)
                lines[n++] = (ScriptLine){ challenge_request[i], 200, "", "{}" };
        lines[n++] = (ScriptLine) SAY_POLL("ready");
        lines[n++] = (ScriptLine) SAY_VALID_AT_ONCE;
        lines[n++] = (ScriptLine) SAY_CHAIN;

        {
                _auto_script_ Script s = {};
                _auto_problem_ Problem *p = NULL;

                script_init(&s, lines, n);
                CHECK_INT(script_run(&s, (AcmeRenewal){}, &p), 0);
                CHECK_UINT(s.next, n);
                CHECK(s.next - n_polls <= 9 + 2 * N);
        }
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

/* Validation */

#define FAILED_AUTHZ(name, number)                                                                                                      \
        { "POST post-as-get " CA "a/" number, 200, "",                                                                                  \
          "{\"status\": \"invalid\", \"identifier\": {\"type\": \"dns\", \"value\": \"" name "\"}, \"challenges\": [{\"type\": \"http-01\"," \
          " \"url\": \"" CA "c/" number "\", \"token\": \"tok" number "\", \"status\": \"invalid\", \"error\": {\"type\":"              \
          " \"urn:ietf:params:acme:error:connection\", \"detail\": \"" name " is off\", \"status\": 400, \"subproblems\": [{\"type\": \"x\"}]}}]}" }

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
                  "{\"type\": \"http-01\", \"url\": \"" CA "c/1\", \"token\": \"tok1\", \"status\": \"pending\"}]}" },
                { "POST post-as-get " CA "a/2", 200, "",
                  "{\"status\": \"pending\", \"wildcard\": true, \"identifier\": {\"type\": \"dns\", \"value\": \"w.test\"}, \"challenges\": ["
                  "{\"type\": \"dns-01\", \"url\": \"" CA "c/2\", \"token\": \"tok2\", \"status\": \"pending\"}]}" },
                SAY_CHALLENGE_OF("1"), SAY_CHALLENGE_OF("2"), SAY_POLL("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN,
        };

        RUN(lines, ACCOUNT, .challenge_types = both_types);
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\norder " CA "o/1\nsetup ip:2001:db8::1 http-01 tok1\nsetup dns:w.test dns-01 tok2\ndeliver\n");
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
