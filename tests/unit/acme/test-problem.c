/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/problem.h"

#include <string.h>

#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"

#define NOW (UINT64_C(1700000000) * USEC_PER_SEC)
#define URL "https://ca.test:14000/new-order"
#define RATE PROBLEM_ACME_PREFIX "rateLimited"

static const struct {
        const char *what;
        unsigned status;
        const char *head, *body;
        const char *type, *detail;
        uint64_t retry_after_sec; /* from now */
} cases[] = {
        { "problem document", 429, "Retry-After: 60", "{\"type\": \"" RATE "\", \"detail\": \"too many\", \"status\": 200}", RATE, "too many", 60 },
        { "title instead of detail", 400, "X: y", "{\"type\": \"" RATE "\", \"title\": \"Hm\"}", RATE, "Hm", 0 },
        { "no words", 400, "X: y", "{\"type\": \"" RATE "\"}", RATE, "The request to ca.test:14000 failed, and the CA does not say why", 0 },
        { "control bytes", 400, "X: y", "{\"type\": \"" RATE "\", \"detail\": \"a\\u001b[31mb\\nc\"}", RATE, "a?[31mb c", 0 },
        { "HTML", 502, "Content-Type: text/html", "<html>\n<b>Bad</b>", PROBLEM_TYPE_HTTP,
          "ca.test:14000 answered with HTTP status 502: <html> <b>Bad</b>", 0 },
        { "nothing", 503, "Retry-After: 120", "", PROBLEM_TYPE_HTTP, "ca.test:14000 answered with HTTP status 503 and no explanation", 120 },
        { "JSON without type", 500, "X: y", "{\"error\": 1}", PROBLEM_TYPE_HTTP, "ca.test:14000 answered with HTTP status 500: {\"error\": 1}", 0 },
        { "type of another kind", 500, "X: y", "{\"type\": 7}", PROBLEM_TYPE_HTTP, "ca.test:14000 answered with HTTP status 500: {\"type\": 7}", 0 },
        { "type that says nothing", 500, "X: y", "{\"type\": \"about:blank\"}", PROBLEM_TYPE_HTTP,
          "ca.test:14000 answered with HTTP status 500: {\"type\": \"about:blank\"}", 0 },
        { "array", 500, "X: y", "[1]", PROBLEM_TYPE_HTTP, "ca.test:14000 answered with HTTP status 500: [1]", 0 },
        { "redirection", 302, "Location: https://evil.test/", "", PROBLEM_TYPE_HTTP,
          "ca.test:14000 answered with HTTP status 302, a redirection to https://evil.test/; redirections are not followed", 0 },
        { "wait for years", 503, "Retry-After: 99999999999", "", PROBLEM_TYPE_HTTP, "ca.test:14000 answered with HTTP status 503 and no explanation",
          7 * 24 * 3600 },
};

static Problem *make(unsigned status, const char *head, const char *body) {
        _auto_acme_answer_ AcmeAnswer a = {};

        acme_answer_init(&a, ACME_BODY_MAX);
        CHECK_INT(acme_answer_add_head(&a, head, strlen(head)), 0);
        CHECK_INT(acme_answer_add_body(&a, body, strlen(body)), 0);
        a.status = status;
        return acme_problem_from_answer(&a, URL, NOW);
}

TEST(errors_of_a_ca) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_problem_ Problem *p = make(cases[i].status, cases[i].head, cases[i].body);

                test_case("%s", cases[i].what);
                if (!CHECK(p != NULL))
                        continue;
                CHECK_STR(p->type, cases[i].type);
                CHECK_STR(p->detail, cases[i].detail);
                CHECK_UINT(p->status, cases[i].status);
                CHECK_UINT(p->retry_after_usec, cases[i].retry_after_sec > 0 ? NOW + cases[i].retry_after_sec * USEC_PER_SEC : 0);
        }
}

TEST(long_pages_are_cut) {
        static char page[4096];
        _auto_problem_ Problem *p = NULL;

        memset(page, 'x', sizeof(page) - 1);
        p = make(500, "X: y", page);
        REQUIRE(p != NULL);
        CHECK(strlen(p->detail) < ACME_EXCERPT_MAX + 80);
}

TEST(subproblems) {
        _auto_problem_ Problem *p = make(403, "Content-Type: application/problem+json",
                                         "{\"type\": \"" PROBLEM_ACME_PREFIX "rejectedIdentifier\", \"detail\": \"some\", \"subproblems\": ["
                                         "{\"type\": \"t1\", \"detail\": \"d\\u001b1\", \"identifier\": {\"type\": \"dns\", \"value\": \"a.test\"}, \"x\": 1},"
                                         "7, {\"type\": \"t2\"}]}");

        REQUIRE(p != NULL);
        REQUIRE(p->subproblems != NULL);
        CHECK(strstr(p->subproblems, "a.test") != NULL);
        CHECK(strstr(p->subproblems, "d?1") != NULL);
        CHECK(strstr(p->subproblems, "t2") != NULL);
        CHECK(strstr(p->subproblems, "\"x\"") == NULL);
}

TEST(too_many_subproblems) {
        _auto_buffer_ Buffer b = BUFFER_INIT(ACME_BODY_MAX);
        _auto_problem_ Problem *p = NULL;

        CHECK_INT(buffer_append_string(&b, "{\"type\": \"x\", \"detail\": \"y\", \"subproblems\": ["), 0);
        for (int i = 0; i < 5000; i++)
                CHECK_INT(buffer_printf(&b, "%s{\"type\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%d\"}", i > 0 ? "," : "", i), 0);
        CHECK_INT(buffer_append_string(&b, "]}"), 0);
        p = make(400, "X: y", b.data);
        REQUIRE(p != NULL);
        CHECK(!p->subproblems || strlen(p->subproblems) <= 16 * 1024);
}

TEST(kinds) {
        _auto_problem_ Problem *nonce = problem_new(PROBLEM_ACME_PREFIX "badNonce", "x"), *ours = problem_new(PROBLEM_OURS_PREFIX "badNonce", "x");

        CHECK(acme_problem_is(nonce, "badNonce"));
        CHECK(!acme_problem_is(nonce, "badCSR"));
        CHECK(!acme_problem_is(ours, "badNonce"));
        CHECK(!acme_problem_is(NULL, "badNonce"));
}
