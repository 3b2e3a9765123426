/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/window.h"

#include "base/clock.h"
#include "lib/test.h"

#define DAY USEC_PER_DAY

TEST(parse_and_format) {
        static const struct {
                const char *text;
                Window window;
                const char *formatted;
        } cases[] = {
                { "33%", { .percent = 33 }, "33%" },
                { "1%", { .percent = 1 }, "1%" },
                { "99%", { .percent = 99 }, "99%" },
                { "30d", { .usec = 30 * DAY }, "30d" },
                { "30", { .usec = 30 * DAY }, "30d" },
                { "10days", { .usec = 10 * DAY }, "10d" },
                { "2h", { .usec = 2 * USEC_PER_HOUR }, "2h" },
                { "24h", { .usec = DAY }, "1d" },
                { "36h", { .usec = 36 * USEC_PER_HOUR }, "36h" },
                { "90s", { .usec = 90 * USEC_PER_SEC }, "90s" },
                { "120s", { .usec = 2 * USEC_PER_MINUTE }, "2mi" },
                { "5MI", { .usec = 5 * USEC_PER_MINUTE }, "5mi" },
                { "1500ms", { .usec = 1500 * USEC_PER_MSEC }, "1500ms" },
                { "100000d", { .usec = 100000 * DAY }, "100000d" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Window w = {}, again = {};
                char buffer[WINDOW_STRING_MAX];
                const char *why = NULL;

                test_case("%s", cases[i].text);
                CHECK_INT(window_parse(cases[i].text, &w, &why), WINDOW_DONE);
                CHECK(why == NULL);
                CHECK(window_equal(&w, &cases[i].window));
                CHECK(window_is_set(&w));
                CHECK_STR(window_format(&w, buffer), cases[i].formatted);
                CHECK_INT(window_parse(buffer, &again, &why), WINDOW_DONE);
                CHECK(window_equal(&w, &again));
        }
}

TEST(parse_refuses) {
        static const char *const cases[] = {
                "",
                "%",
                "0%",
                "100%",
                "101%",
                "-5%",
                "+5%",
                " 5%",
                "5 %",
                "5.5%",
                "99999999999999999999%",
                "5%%",
                "0",
                "0d",
                "-1d",
                "1.5d",
                "10m",
                "d",
                "ten",
                "30d%",
                "99999999999999999999d",
                "18446744073709551615d",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Window w = { .usec = 1, .percent = 2 };
                const char *why = NULL;

                test_case("'%s'", cases[i]);
                CHECK_INT(window_parse(cases[i], &w, &why), WINDOW_E_INVALID);
                CHECK(why != NULL);
                CHECK_UINT(w.usec, 1);
                CHECK_UINT(w.percent, 2);
        }
}

TEST(format_of_what_cannot_be_written_exactly) {
        char buffer[WINDOW_STRING_MAX];

        CHECK_STR(window_format(&(Window){}, buffer), "");
        CHECK_STR(window_format(&(Window){ .usec = 1 }, buffer), "1ms");
        CHECK_STR(window_format(&(Window){ .usec = 2500 }, buffer), "2ms");
        CHECK_STR(window_format(&(Window){ .usec = UINT64_MAX }, buffer), "18446744073709551ms");
}

TEST(equality) {
        CHECK(window_equal(&(Window){}, &(Window){}));
        CHECK(window_equal(&(Window){ .percent = 5, .usec = 1 }, &(Window){ .percent = 5 }));
        CHECK(!window_equal(&(Window){ .percent = 5 }, &(Window){ .percent = 6 }));
        CHECK(!window_equal(&(Window){ .usec = 5 }, &(Window){ .usec = 6 }));
        CHECK(!window_equal(&(Window){ .usec = 5 }, &(Window){}));
}

TEST(begin) {
        static const struct {
                const char *what;
                Window window;
                uint64_t not_before, not_after, begin;
        } cases[] = {
                { "last third", { .percent = 33 }, 0, 100 * DAY, 67 * DAY },
                { "last percent", { .percent = 1 }, 100 * DAY, 200 * DAY, 199 * DAY },
                { "nearly all", { .percent = 99 }, 100 * DAY, 200 * DAY, 101 * DAY },
                { "duration", { .usec = 30 * DAY }, 10 * DAY, 100 * DAY, 70 * DAY },
                { "duration longer than the life", { .usec = 120 * DAY }, 10 * DAY, 100 * DAY, 40 * DAY },
                { "duration longer than time", { .usec = UINT64_MAX }, 10 * DAY, 100 * DAY, 40 * DAY },
                { "not set", {}, 10 * DAY, 100 * DAY, 100 * DAY },
                { "no life", { .percent = 50 }, 100 * DAY, 100 * DAY, 100 * DAY },
                { "life turned around", { .percent = 50 }, 100 * DAY, 50 * DAY, 50 * DAY },
                { "life turned around, duration", { .usec = DAY }, 100 * DAY, 50 * DAY, 50 * DAY },
                { "a life without end", { .percent = 50 }, 0, UINT64_MAX, UINT64_MAX / 2 + 1 },
                { "less than a hundred microseconds", { .percent = 50 }, 0, 10, 5 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].what);
                CHECK_UINT(window_begin_usec(&cases[i].window, cases[i].not_before, cases[i].not_after), cases[i].begin);
        }
}
