/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client.h"

#include <errno.h>
#include <string.h>

#include "acme/problem.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "script.h"

static void cleanup_client(AcmeClient **c) {
        acme_client_free(*c);
}
#define _auto_client_ _cleanup_(cleanup_client)

#define SIGNED "POST post-as-get " CA "x"
#define SAY_BAD_NONCE { SIGNED, 400, PROBLEM_HEAD, SCRIPT_PROBLEM("badNonce", "old") }

/* Sends 'n' requests one after the other; the result of the last. */
static int post(Script *s, unsigned n, AcmeAnswer *answer, Problem **ret_problem) {
        AcmeTransport transport = script_transport(s);
        AcmeSigner signer = script_signer(s);
        const AcmeDirectory *directory = NULL;
        _auto_client_ AcmeClient *c = NULL;
        int r;

        c = acme_client_new(&transport, &(AcmeCa){ .directory_url = CA "dir" });
        if (!c)
                return -ENOMEM;
        acme_client_begin(c, &signer, NULL);
        r = acme_client_directory(c, &directory, ret_problem);
        for (unsigned i = 0; i < n && r == 0; i++) {
                acme_answer_done(answer);
                r = acme_client_post(c, &(AcmePost){ .kind = ACME_REQUEST_POST_AS_GET, .url = CA "x" }, answer, ret_problem);
        }
        acme_client_end(c);
        return r;
}

#define RUN(lines_, n_)                                                                 \
        _auto_script_ Script s = {};                                                    \
        _auto_acme_answer_ AcmeAnswer answer = {};                                      \
        _auto_problem_ Problem *p = NULL;                                               \
        int r;                                                                          \
        script_init(&s, lines_, ELEMENTSOF(lines_));                                    \
        r = post(&s, (n_), &answer, &p);                                                \
        CHECK_UINT(s.next, s.n_lines)

TEST(a_nonce_is_fetched_once) {
        static const ScriptLine lines[] = { SAY_DIRECTORY, SAY_NONCE, { SIGNED, 200, "", "{}" }, { SIGNED, 200, "", "{}" }, { SIGNED, 200, "", "{}" } };

        RUN(lines, 3);
        CHECK_INT(r, 0);
        CHECK_STR(s.nonces.data, "n1 n2 n3");
        CHECK_STR(answer.body.data, "{}");
        CHECK_STR(s.accepts.data, "application/json\napplication/json\napplication/json\n");
}

TEST(a_nonce_that_comes_with_the_directory_is_used) {
        static const ScriptLine lines[] = { { "GET " CA "dir", 200, "Replay-Nonce: first", SCRIPT_DIRECTORY }, { SIGNED, 200, "", "{}" } };

        RUN(lines, 1);
        CHECK_INT(r, 0);
        CHECK_STR(s.nonces.data, "first");
}

TEST(answers_without_a_usable_nonce) {
        static const ScriptLine lines[] = {
                SAY_DIRECTORY, SAY_NONCE,
                { SIGNED, 200, "-", "{}" }, SAY_NONCE,
                { SIGNED, 200, "-\nReplay-Nonce: not base64url!", "{}" }, SAY_NONCE,
                { SIGNED, 200, "", "{}" },
        };

        RUN(lines, 3);
        CHECK_INT(r, 0);
        CHECK_STR(s.nonces.data, "n1 n2 n3");
}

TEST(no_nonce_at_all) {
        static const ScriptLine lines[] = { SAY_DIRECTORY, { "HEAD " CA "nonce", 204, "-" } };

        RUN(lines, 1);
        CHECK_INT(r, -EBADMSG);
        REQUIRE(p != NULL);
        CHECK_STR(p->type, PROBLEM_TYPE_BAD_ANSWER);
        CHECK(strstr(p->detail, CA "nonce") != NULL);
}

TEST(nonces_are_refused) {
        static const ScriptLine lines[] = { SAY_DIRECTORY, { "HEAD " CA "nonce", 503, "Retry-After: 9" } };

        RUN(lines, 1);
        CHECK(r < 0);
        REQUIRE(p != NULL);
        CHECK_STR(p->type, PROBLEM_TYPE_HTTP);
        CHECK_UINT(p->status, 503);
        CHECK_UINT(p->retry_after_usec, SCRIPT_START_USEC + 9 * USEC_PER_SEC);
}

TEST(bad_nonce_is_replaced_by_the_one_in_the_answer) {
        static const ScriptLine lines[] = { SAY_DIRECTORY, SAY_NONCE, SAY_BAD_NONCE, SAY_BAD_NONCE, { SIGNED, 200, "", "{}" } };

        RUN(lines, 1);
        CHECK_INT(r, 0);
        CHECK(p == NULL);
        CHECK_STR(s.nonces.data, "n1 n2 n3");
}

TEST(bad_nonce_without_a_new_one) {
        static const ScriptLine lines[] = {
                SAY_DIRECTORY, SAY_NONCE,
                { SIGNED, 400, "-", SCRIPT_PROBLEM("badNonce", "old") }, SAY_NONCE, { SIGNED, 200, "", "{}" },
        };

        RUN(lines, 1);
        CHECK_INT(r, 0);
        CHECK_STR(s.nonces.data, "n1 n2");
}

TEST(bad_nonce_for_ever) {
        static const ScriptLine lines[] = {
                SAY_DIRECTORY, SAY_NONCE, SAY_BAD_NONCE, SAY_BAD_NONCE, SAY_BAD_NONCE, SAY_BAD_NONCE, SAY_BAD_NONCE,
                SAY_BAD_NONCE, SAY_BAD_NONCE, SAY_BAD_NONCE, SAY_BAD_NONCE, SAY_BAD_NONCE,
        };

        RUN(lines, 1);
        CHECK_INT(r, ACME_CLIENT_E_REFUSED);
        CHECK(acme_problem_is(p, "badNonce"));
}

TEST(errors_are_not_repeated) {
        static const ScriptLine lines[] = { SAY_DIRECTORY, SAY_NONCE, { SIGNED, 400, PROBLEM_HEAD, SCRIPT_PROBLEM("malformed", "what?") } };

        RUN(lines, 1);
        CHECK_INT(r, ACME_CLIENT_E_REFUSED);
        REQUIRE(p != NULL);
        CHECK_STR(p->detail, "what?");
        CHECK_UINT(answer.status, 400);
}

TEST(no_connection) {
        static const ScriptLine lines[] = { SAY_DIRECTORY, SAY_NONCE, { SIGNED, 0 } };

        RUN(lines, 1);
        CHECK(r < 0);
        REQUIRE(p != NULL);
        CHECK_STR(p->type, PROBLEM_TYPE_CONNECTION);
        CHECK_UINT(answer.status, 0);
}

TEST(directory_is_not_there) {
        static const ScriptLine lines[] = { { "GET " CA "dir", 404, "Content-Type: text/html", "<html>Not here" } };

        RUN(lines, 1);
        CHECK(r < 0);
        REQUIRE(p != NULL);
        CHECK_STR(p->detail, "ca.test answered with HTTP status 404: <html>Not here");
}

TEST(directory_grows_old) {
        static const ScriptLine lines[] = { SAY_DIRECTORY, SAY_DIRECTORY };
        _auto_script_ Script s = {};
        _auto_problem_ Problem *p = NULL;
        _auto_client_ AcmeClient *c = NULL;
        const AcmeDirectory *directory = NULL;
        AcmeTransport transport;
        AcmeSigner signer;

        script_init(&s, lines, ELEMENTSOF(lines));
        transport = script_transport(&s);
        signer = script_signer(&s);
        c = acme_client_new(&transport, &(AcmeCa){ .directory_url = CA "dir" });
        REQUIRE(c != NULL);
        acme_client_begin(c, &signer, "test/1");
        CHECK_INT(acme_client_directory(c, &directory, &p), 0);
        s.elapsed_usec += ACME_DIRECTORY_AGE_MAX_USEC;
        CHECK_INT(acme_client_directory(c, &directory, &p), 0);
        CHECK_UINT(s.next, 1);
        s.elapsed_usec += 1;
        CHECK_INT(acme_client_directory(c, &directory, &p), 0);
        CHECK_UINT(s.next, 2);
        acme_client_end(c);
}
