/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/error.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/names.h"
#include "lib/test.h"

#define _auto_bus_error_ _cleanup_(sd_bus_error_free)

static Problem *sample(void) {
        Problem *p = problem_new(PROBLEM_ACME_PREFIX "rateLimited", "Too many certificates\talready issued\nfor \"example.org\"");

        if (p) {
                p->activity = strdup("ordering example.org");
                p->subproblems = strdup("[{\"type\":\"x\"}]");
                p->status = 429;
        }
        return p;
}

TEST(argument_round_trip) {
        _auto_problem_ Problem *p = sample(), *copy = NULL;
        _auto_free_ char *s = problem_to_argument(p);

        REQUIRE(p && s);
        CHECK(!strchr(s, '\n'));
        REQUIRE(problem_from_argument(s, &copy) == 0);
        REQUIRE(copy != NULL);
        CHECK_STR(copy->type, p->type);
        CHECK_STR(copy->detail, p->detail);
        CHECK_STR(copy->activity, p->activity);
        CHECK_UINT(copy->status, 429);
        CHECK(copy->subproblems != NULL);
}

TEST(no_problem_is_an_empty_argument) {
        _auto_problem_ Problem *p = sample(), *none = p;
        _auto_free_ char *s = problem_to_argument(NULL);

        CHECK_STR(s, "");
        CHECK_INT(problem_from_argument("", &none), 0);
        CHECK(none == NULL);
}

TEST(bad_arguments) {
        static const char *const cases[] = { " ", "{", "[]", "\"text\"", "{}", "{\"detail\":\"no type\"}", "{\"problem\":1}", "null", "{} x" };
        _auto_free_ char *large = NULL;
        Problem *untouched = (Problem *) cases, *p = untouched;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i]);
                CHECK_INT(problem_from_argument(cases[i], &p), -EBADMSG);
                CHECK(p == untouched);
        }

        test_case("large");
        large = malloc(1024 * 1024);
        REQUIRE(large);
        memset(large, ' ', 1024 * 1024 - 1);
        large[1024 * 1024 - 1] = '\0';
        CHECK_INT(problem_from_argument(large, &p), -EBADMSG);
}

TEST(reasons_stand_in_a_sentence) {
        static const struct {
                const char *message, *reason;
        } cases[] = {
                { "Unit md-launcher.service is masked.", "Unit md-launcher.service is masked" },
                { "No full stop", "No full stop" },
                { "And so on...", "And so on..." },
                { "x.", "x" },
                { ".", "." },
                { "", BUS_ERROR_FAILED },
        };
        _auto_free_ char *none = bus_error_reason(NULL);

        CHECK_STR(none, "no reason given");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
                _auto_free_ char *reason = NULL;

                test_case("%s", cases[i].message);
                (void) sd_bus_error_set(&e, BUS_ERROR_FAILED, cases[i].message);
                reason = bus_error_reason(&e);
                CHECK_STR(reason, cases[i].reason);
        }
}

TEST(plain_error) {
        _auto_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        _auto_problem_ Problem *p = sample(), *back = NULL;

        CHECK(bus_error_from_problem(&e, BUS_ERROR_NOT_NOW, p) < 0);
        CHECK_STR(e.name, BUS_ERROR_NOT_NOW);
        CHECK_STR(e.message, p->detail);

        back = problem_from_bus_error(&e, NULL, "asking");
        REQUIRE(back);
        CHECK_STR(back->type, PROBLEM_TYPE_INTERNAL);
        CHECK(strncmp(back->detail, "asking: Too many", strlen("asking: Too many")) == 0);
}

TEST(refused_carries_the_whole_problem) {
        _auto_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        _auto_problem_ Problem *p = sample(), *back = NULL;
        size_t n;

        REQUIRE(p);
        CHECK(bus_error_from_problem(&e, BUS_ERROR_REFUSED, p) < 0);
        n = strlen(p->detail);
        CHECK(strncmp(e.message, p->detail, n) == 0 && e.message[n] == '\t');

        back = problem_from_bus_error(&e, NULL, "asking");
        REQUIRE(back);
        CHECK_STR(back->type, PROBLEM_ACME_PREFIX "rateLimited");
        CHECK_UINT(back->status, 429);
        CHECK(strncmp(back->detail, "asking: ", strlen("asking: ")) == 0);
        CHECK_STR(back->detail + strlen("asking: "), p->detail);
}

TEST(foreign_errors) {
        static const struct {
                const char *what;
                sd_bus_error error;
                const char *detail;
        } cases[] = {
                { "message", { .name = "org.example.Error", .message = "went wrong" }, "asking: went wrong" },
                { "no message", { .name = "org.example.Error" }, "asking: org.example.Error" },
                { "control bytes", { .name = "org.example.Error", .message = "a\033[1mb" }, "asking: a?[1mb" },
                { "refused by hand", { .name = BUS_ERROR_REFUSED, .message = "because" }, "asking: because" },
                { "none", {}, "asking" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_problem_ Problem *p = problem_from_bus_error(&cases[i].error, PROBLEM_TYPE_WORKER, "asking");

                test_case("%s", cases[i].what);
                REQUIRE(p);
                CHECK_STR(p->type, PROBLEM_TYPE_WORKER);
                CHECK_STR(p->detail, cases[i].detail);
        }
}

TEST(no_problem_is_out_of_memory) {
        _auto_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;

        CHECK_INT(bus_error_from_problem(&e, BUS_ERROR_FAILED, NULL), -ENOMEM);
        CHECK_STR(e.name, SD_BUS_ERROR_NO_MEMORY);
}
