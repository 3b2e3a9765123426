/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/renewal-info.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "script.h"

#define WINDOW(start, end) "{\"suggestedWindow\": {\"start\": \"" start "\", \"end\": \"" end "\"}}"
#define JAN_2ND (UINT64_C(1735776000) * USEC_PER_SEC) /* 2025-01-02T00:00:00Z */

static const struct {
        const char *what, *body;
        uint64_t start_usec, end_usec; /* 0: refused */
        const char *explanation;
} cases[] = {
        { "as in the RFC", "{\"suggestedWindow\": {\"start\": \"2025-01-02T04:00:00Z\", \"end\": \"2025-01-03T04:00:00Z\"},"
                           " \"explanationURL\": \"https://acme.example.com/docs/ari\"}",
          JAN_2ND + 4 * USEC_PER_HOUR, JAN_2ND + 28 * USEC_PER_HOUR, "https://acme.example.com/docs/ari" },
        { "offsets", WINDOW("2025-01-02T05:30:00+05:30", "2025-01-01T23:00:00-08:00"), JAN_2ND, JAN_2ND + 7 * USEC_PER_HOUR, NULL },
        { "fractions", WINDOW("2025-01-02T00:00:00.25Z", "2025-01-02T00:00:00.500000999+00:00"), JAN_2ND + 250000, JAN_2ND + 500000, NULL },
        { "explanation at http", "{\"suggestedWindow\": {\"start\": \"2025-01-02T00:00:00Z\", \"end\": \"2025-01-02T00:00:01Z\"},"
                                 " \"explanationURL\": \"http://acme.example.com/\"}", JAN_2ND, JAN_2ND + USEC_PER_SEC, NULL },
        { "explanation with a script", "{\"suggestedWindow\": {\"start\": \"2025-01-02T00:00:00Z\", \"end\": \"2025-01-02T00:00:01Z\"},"
                                       " \"explanationURL\": \"javascript:alert(1)\"}", JAN_2ND, JAN_2ND + USEC_PER_SEC, NULL },
        { "the end before the start", WINDOW("2025-01-03T00:00:00Z", "2025-01-02T00:00:00Z") },
        { "the end at the start", WINDOW("2025-01-02T00:00:00Z", "2025-01-02T00:00:00Z") },
        { "the end at the start, elsewhere", WINDOW("2025-01-02T00:00:00Z", "2025-01-02T01:00:00+01:00") },
        { "no end", "{\"suggestedWindow\": {\"start\": \"2025-01-02T00:00:00Z\"}}" },
        { "no start", "{\"suggestedWindow\": {\"end\": \"2025-01-02T00:00:00Z\"}}" },
        { "a number", "{\"suggestedWindow\": {\"start\": 1735776000, \"end\": 1735776001}}" },
        { "no zone", WINDOW("2025-01-02T00:00:00", "2025-01-03T00:00:00") },
        { "a day that is none", WINDOW("2025-02-30T00:00:00Z", "2025-03-03T00:00:00Z") },
        { "a date", WINDOW("2025-01-02", "2025-01-03") },
        { "no window", "{}" },
        { "a window that is a text", "{\"suggestedWindow\": \"soon\"}" },
        { "a list", "[]" },
        { "HTML", "<html>" },
        { "nothing", "" },
};

TEST(windows) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(acme_renewal_info_done) AcmeRenewalInfo info = {};
                _auto_problem_ Problem *p = NULL;
                int r;

                test_case("%s", cases[i].what);
                r = acme_renewal_info_parse(CA "ari/x", cases[i].body, strlen(cases[i].body), &info, &p);
                CHECK_INT(r, cases[i].start_usec > 0 ? 0 : -EBADMSG);
                CHECK_UINT(info.start_usec, cases[i].start_usec);
                CHECK_UINT(info.end_usec, cases[i].end_usec);
                CHECK_STR(info.explanation_url, cases[i].explanation);
                CHECK((p != NULL) == (r < 0));
        }
}

#define SAY_DIRECTORY_WITH(more) { "GET " CA "dir", 200, "", "{\"newNonce\": \"" CA "nonce\", \"newAccount\": \"" CA "a\", \"newOrder\": \"" CA "o\"" more "}" }
#define SAY_ARI_DIRECTORY SAY_DIRECTORY_WITH(", \"renewalInfo\": \"" CA "ari\"")
#define GOOD WINDOW("2025-01-02T00:00:00Z", "2025-01-03T00:00:00Z")

static const AcmeCertificateId three[] = { { "one", "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE" }, { "two", "aa.bb" }, { "three", "cc.dd" } };

#define RUN(lines_)                                                                                                             \
        _cleanup_(acme_session_freep) AcmeSession *session = NULL;                                                              \
        _auto_script_ Script s = {};                                                                                            \
        _auto_problem_ Problem *p = NULL;                                                                                       \
        AcmeTransport transport;                                                                                                \
        AcmeSigner signer;                                                                                                      \
        int r;                                                                                                                  \
        script_init(&s, lines_, ELEMENTSOF(lines_));                                                                            \
        transport = script_transport(&s);                                                                                       \
        signer = script_signer(&s);                                                                                             \
        session = acme_session_new_with(&transport);                                                                            \
        REQUIRE(session != NULL);                                                                                               \
        r = acme_renewal_info_run(session, &(AcmeCa){ .directory_url = CA "dir" }, three, ELEMENTSOF(three), &signer, &p);      \
        CHECK_UINT(s.next, s.n_lines)

TEST(each_certificate_is_asked_for) {
        static const ScriptLine lines[] = {
                SAY_ARI_DIRECTORY, { "GET " CA "ari/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", 200, "Retry-After: 21600", GOOD },
                { "GET " CA "ari/aa.bb", 404, PROBLEM_HEAD "\nRetry-After: 60", SCRIPT_PROBLEM("malformed", "no such certificate") },
                { "GET " CA "ari/cc.dd", 200, "", GOOD },
        };

        RUN(lines);
        CHECK_INT(r, 0);
        CHECK_STR(s.calls.data, "directory\ninfo one 1735776000 1735862400 21600 -\nno-info two 60 no such certificate\n"
                                "info three 1735776000 1735862400 0 -\n");
}

TEST(a_busy_ca_is_left_alone) {
        static const ScriptLine lines[] = {
                SAY_ARI_DIRECTORY, { "GET " CA "ari/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", 503, "Retry-After: 600", "" },
        };

        RUN(lines);
        CHECK_INT(r, 0);
        CHECK(str_has_prefix(s.calls.data, "directory\nno-info one 600 ca.test answered with HTTP status 503"));
        CHECK(strstr(s.calls.data, "\nno-info three 600 ca.test answered with HTTP status 503") != NULL);
}

TEST(nobody_there) {
        static const ScriptLine lines[] = { SAY_ARI_DIRECTORY, { "GET " CA "ari/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", 0 } };

        RUN(lines);
        CHECK_INT(r, 0);
        CHECK(strstr(s.calls.data, "\nno-info three 0 Cannot talk to ca.test") != NULL);
}

TEST(a_ca_without_renewal_information) {
        static const ScriptLine lines[] = { SAY_DIRECTORY };

        RUN(lines);
        CHECK_INT(r, 0);
        CHECK(strstr(s.calls.data, "\nno-info three 0 The CA offers no renewal information") != NULL);
}

TEST(a_slash_at_the_end) {
        static const ScriptLine lines[] = {
                SAY_DIRECTORY_WITH(", \"renewalInfo\": \"" CA "ari/\""), { "GET " CA "ari/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", 200, "", GOOD },
                { "GET " CA "ari/aa.bb", 200, "", "{}" }, { "GET " CA "ari/cc.dd", 200, "", "" },
        };

        RUN(lines);
        CHECK_INT(r, 0);
}

TEST(the_directory_is_not_there) {
        static const ScriptLine lines[] = { { "GET " CA "dir", 503, "", "maintenance" } };

        RUN(lines);
        CHECK(r < 0);
        REQUIRE(p != NULL);
        CHECK_UINT(p->status, 503);
        CHECK_STR(p->activity, "reading the directory of the CA");
}

TEST(identifiers_that_are_none) {
        static const AcmeCertificateId ids[] = { { "a", "" }, { "b", "abc" }, { "c", "a.b.c" }, { "d", "../x.y" }, { "e", ".b" }, { "f", "a." }, { "g", NULL } };
        static const ScriptLine lines[] = { SAY_ARI_DIRECTORY };
        _cleanup_(acme_session_freep) AcmeSession *session = NULL;
        _auto_script_ Script s = {};
        _auto_problem_ Problem *p = NULL;
        AcmeTransport transport;
        AcmeSigner signer;

        script_init(&s, lines, ELEMENTSOF(lines));
        transport = script_transport(&s);
        signer = script_signer(&s);
        session = acme_session_new_with(&transport);
        REQUIRE(session != NULL);
        CHECK_INT(acme_renewal_info_run(session, &(AcmeCa){ .directory_url = CA "dir" }, ids, ELEMENTSOF(ids), &signer, &p), 0);
        CHECK_UINT(s.next, s.n_lines);
        CHECK(strstr(s.calls.data, "no-info g 0 '' is no identifier of a certificate\n") != NULL);
}
