/* SPDX-License-Identifier: Apache-2.0 */
#include "base/problem.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"

TEST(detail_is_printable) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_HTTP, "The CA said \"%s\"", "a\nb\x1b[31m");

        REQUIRE(p);
        CHECK_STR(p->type, PROBLEM_TYPE_HTTP);
        CHECK_STR(p->detail, "The CA said \"a b?[31m\"");
}

TEST(context_stands_in_front) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_TIMEOUT, "no answer");

        REQUIRE(p);
        problem_prefix(p, "order %d", 7);
        problem_prefix(p, "example.org\n");
        CHECK_STR(p->detail, "example.org : order 7: no answer");
        problem_prefix(NULL, "nothing");
}

TEST(the_first_cause_stays) {
        Problem *p = NULL;

        CHECK_INT(problem_set(&p, PROBLEM_TYPE_CHAIN, "first"), 0);
        CHECK_INT(problem_set(&p, PROBLEM_TYPE_CHAIN, "second"), 0);
        CHECK_INT(problem_set(NULL, PROBLEM_TYPE_CHAIN, "nobody listens"), 0);
        REQUIRE(p);
        CHECK_STR(p->detail, "first");
        problem_free(p);
}

TEST(json_keeps_everything) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_ACME_PREFIX "rateLimited", "too many"), *back = NULL, *copy = NULL;
        _auto_json_ JsonObject *o = json_object_new_object();

        REQUIRE(p && o);
        p->status = 429;
        p->retry_after_usec = 1795390560 * USEC_PER_SEC;
        CHECK_INT(str_replace(&p->activity, "ordering"), 0);
        CHECK_INT(str_replace(&p->subproblems, "[{\"type\":\"x\"}]"), 0);
        copy = problem_copy(p);
        REQUIRE(copy);
        CHECK_INT(problem_to_json(copy, o), 0);
        CHECK_INT(problem_from_json(o, &back), 0);
        REQUIRE(back);
        CHECK_STR(back->type, p->type);
        CHECK_STR(back->detail, p->detail);
        CHECK_STR(back->activity, "ordering");
        CHECK_STR(back->subproblems, "[{\"type\":\"x\"}]");
        CHECK_UINT(back->status, 429);
        CHECK_UINT(back->retry_after_usec, p->retry_after_usec);
}

TEST(json_keeps_the_ca_s_wish_to_be_left_alone) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_ACME_PREFIX "rateLimited", "too many"), *back = NULL;
        _auto_json_ JsonObject *o = json_object_new_object();

        REQUIRE(p && o);
        p->retry_after_usec = 1795390560 * USEC_PER_SEC + 1;
        CHECK_INT(problem_to_json(p, o), 0);
        CHECK_INT(problem_from_json(o, &back), 0);
        REQUIRE(back);
        CHECK_UINT(back->retry_after_usec, 1795390561 * USEC_PER_SEC);
}

TEST(json_without_a_problem) {
        _auto_json_ JsonObject *o = json_object_new_object();
        Problem *p = (Problem *) o;

        CHECK_INT(problem_from_json(o, &p), 0);
        CHECK(!p);
}

TEST(long_details_are_cut) {
        _auto_free_ char *text = malloc(100001);
        _auto_problem_ Problem *p = NULL;

        REQUIRE(text);
        memset(text, 'x', 100000);
        text[100000] = 0;
        p = problem_new(PROBLEM_TYPE_BAD_ANSWER, "%s", text);
        REQUIRE(p);
        CHECK(strlen(p->detail) < 10000);
        CHECK(str_has_suffix(p->detail, "…"));
}

static Problem *parse(const char *text) {
        _auto_json_ JsonObject *o = NULL;
        Problem *p = NULL;

        if (!CHECK_INT(json_parse(text, strlen(text), &o, NULL), 0) || !CHECK_INT(problem_from_json(o, &p), 0))
                return NULL;
        return p;
}

TEST(json_of_others) {
        static const struct {
                const char *json;
                const char *type, *detail; /* NULL: no problem in it */
                unsigned status;
        } cases[] = {
                { "{}", NULL, NULL, 0 },
                { "{\"problem\":null}", NULL, NULL, 0 },
                { "{\"problem\":7,\"detail\":\"x\"}", NULL, NULL, 0 },
                { "{\"problem\":\"urn:x\"}", "urn:x", "no details", 0 },
                { "{\"problem\":\"urn:x\",\"detail\":\"\"}", "urn:x", "no details", 0 },
                { "{\"problem\":\"urn:x\",\"detail\":\"a\\u0007b%s\"}", "urn:x", "a?b%s", 0 },
                { "{\"problem\":\"urn:x\",\"detail\":\"d\",\"status\":400}", "urn:x", "d", 400 },
                { "{\"problem\":\"urn:x\",\"detail\":\"d\",\"status\":70007}", "urn:x", "d", 0 },
                { "{\"problem\":\"urn:x\",\"detail\":\"d\",\"status\":-1}", "urn:x", "d", 0 },
                { "{\"problem\":\"urn:x\",\"detail\":\"d\",\"subproblems\":\"no list\"}", "urn:x", "d", 0 },
                { "{\"problem\":\"urn:x\",\"detail\":\"d\",\"retry-after\":\"no time\"}", "urn:x", "d", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_problem_ Problem *p = NULL;

                test_case("%s", cases[i].json);
                p = parse(cases[i].json);
                CHECK_STR(p ? p->type : NULL, cases[i].type);
                if (!p)
                        continue;
                CHECK_STR(p->detail, cases[i].detail);
                CHECK_UINT(p->status, cases[i].status);
                CHECK_STR(p->subproblems, NULL);
                CHECK_UINT(p->retry_after_usec, 0);
        }
}

TEST(subproblems_that_are_none_do_not_spoil_the_rest) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_BAD_ANSWER, "x");
        _auto_json_ JsonObject *o = json_object_new_object();

        REQUIRE(p && o);
        p->subproblems = strdup("[torn");
        CHECK_INT(problem_to_json(p, o), 0);
        CHECK(!json_has(o, "subproblems"));
        CHECK_STR(json_get_string(o, "detail"), "x");
}
