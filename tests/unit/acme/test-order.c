/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/order.h"

#include <stdio.h>
#include <string.h>

#include "acme/certificate.h"
#include "acme/problem.h"
#include "way.h"

/* Accounts */

#define SAY_REJECTED(status, type) { "POST new-order " CA "new-order", status, PROBLEM_HEAD, SCRIPT_PROBLEM(type, "who are you?") }

#define SAY_LOOK(status, body) { "POST post-as-get " CA "acct/1", status, PROBLEM_HEAD, body }

TEST(unknown_account) {
        static const ScriptLine lines[] = { OPENING, SAY_REJECTED(400, "accountDoesNotExist"), SAY_ACCOUNT, AFRESH };

        RUN(lines, .account_url = CA "acct/0");
        CHECK_INT(r, 0);
        CHECK_STR(text(&s.calls), "directory\nrejected who are you?\naccount " CA "acct/1\norder " CA "o/1\ndeliver\n");
}

TEST(unknown_account_where_there_is_another) {
        static const ScriptLine lines[] = { OPENING, SAY_REJECTED(400, "accountDoesNotExist"), AFRESH };
        static const ScriptLine again[] = { OPENING, SAY_REJECTED(400, "accountDoesNotExist"), SAY_REJECTED(400, "accountDoesNotExist") };

        {
                RUN_WITH(lines, s.other_account = true, .account_url = CA "acct/0");
                CHECK_INT(r, 0);
                CHECK_STR(text(&s.calls), "directory\nrejected who are you?\norder " CA "o/1\ndeliver\n");
        }
        {
                RUN_WITH(again, s.other_account = true, .account_url = CA "acct/0");
                CHECK(r < 0);
                CHECK(acme_problem_is(p, "accountDoesNotExist"));
        }
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
                               "Link: <1/alt/1>; rel=\"alternate\", </cert/1/alt/2>; title=\"x, y\"; rel=\"next alternate\"\nLink: </cert/1/alt/3>;rel=alternate"),
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

#define LEAF_AND(links) { "POST post-as-get " CA "cert/1", 200, "Content-Type: application/pem-certificate-chain\n" links, SCRIPT_CHAIN }
#define ISSUER(path, links, body) { "POST post-as-get " CA path, 200, "Content-Type: application/pem-certificate-chain\n" links, body }

TEST(issuers_one_by_one) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, LEAF_AND("Link: </issuer/1>;rel=\"up\""),
                ISSUER("issuer/1", "Link: <2>;rel=up", SCRIPT_CHAIN), ISSUER("issuer/2", "Link: <" CA "issuer/3>; rel=up", SCRIPT_CHAIN),
                { "POST post-as-get " CA "issuer/3", 200, "Content-Type: application/pkcs7-mime", "0\x82" },
        };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
        CHECK(str_has_suffix(text(&s.calls), "deliver 3 certificates\n"));
}

TEST(issuers_in_one) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, LEAF_AND("Link: </issuer/1>;rel=\"up\""),
                ISSUER("issuer/1", "Link: </issuer/2>;rel=up", SCRIPT_CHAIN SCRIPT_CHAIN),
        };

        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
        CHECK(str_has_suffix(text(&s.calls), "deliver 3 certificates\n"));
}

TEST(issuers_in_a_circle) {
        static ScriptLine lines[5 + ACME_CHAIN_LENGTH_MAX] = {
                OPENING, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, LEAF_AND("Link: </issuer/0>;rel=\"up\""),
        };
        static char requests[ACME_CHAIN_LENGTH_MAX][64], links[ACME_CHAIN_LENGTH_MAX][64];
        size_t n = 0;

        while (n < ELEMENTSOF(lines) && lines[n].request)
                n++;
        for (unsigned i = 0; i < ACME_CHAIN_LENGTH_MAX && n < ELEMENTSOF(lines); i++) {
                (void) snprintf(requests[i], sizeof(requests[i]), "POST post-as-get " CA "issuer/%u", i % 2);
                (void) snprintf(links[i], sizeof(links[i]), "Link: </issuer/%u>;rel=up", (i + 1) % 2);
                lines[n++] = (ScriptLine) { requests[i], 200, links[i], SCRIPT_CHAIN };
        }
        RUN(lines, ACCOUNT);
        CHECK_INT(r, 0);
        CHECK(str_has_suffix(text(&s.calls), "deliver 11 certificates\n"));
}

TEST(issuers_that_cannot_be_had) {
        static const ScriptLine lines[] = {
                OPENING, SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, LEAF_AND("Link: </issuer/1>;rel=\"up\""),
                { "POST post-as-get " CA "issuer/1", 404, "", "" },
        };

        RUN(lines, ACCOUNT);
        CHECK(r < 0);
        CHECK(p && str_equal(p->activity, "downloading the issuer of the certificate"));
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
