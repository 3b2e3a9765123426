/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <time.h>

#include "lib/test.h"

#define NOV_22 (UINT64_C(1795390560) * USEC_PER_SEC) /* 2026-11-22T23:36:00Z */

TEST(now_is_after_this_was_written) {
        uint64_t a = clock_monotonic_usec(), b = clock_monotonic_usec();

        CHECK(clock_now_usec() > UINT64_C(1577836800) * USEC_PER_SEC);
        CHECK(a > 0 && b >= a);
}

TEST(sums_saturate) {
        CHECK_UINT(usec_add(1, 2), 3);
        CHECK_UINT(usec_add(USEC_INFINITY, 1), USEC_INFINITY);
        CHECK_UINT(usec_add(USEC_INFINITY - 1, 5), USEC_INFINITY);
        CHECK_UINT(usec_sub(5, 3), 2);
        CHECK_UINT(usec_sub(3, 5), 0);
}

TEST(rounding_up_is_never_sooner) {
        CHECK_UINT(usec_round_up(0), 0);
        CHECK_UINT(usec_round_up(1), USEC_PER_SEC);
        CHECK_UINT(usec_round_up(USEC_PER_SEC), USEC_PER_SEC);
        CHECK_UINT(usec_round_up(USEC_PER_SEC + 1), 2 * USEC_PER_SEC);
        CHECK_UINT(usec_round_up(USEC_INFINITY), USEC_INFINITY);
}

TEST(rfc3339) {
        static const struct {
                const char *text;
                uint64_t usec;
        } cases[] = {
                { "2026-11-22T23:36:00Z",               NOV_22 },
                { "2026-11-22t23:36:00z",               NOV_22 },
                { "2026-11-22 23:36:00Z",               NOV_22 },
                { "2026-11-23T00:36:00+01:00",          NOV_22 },
                { "2026-11-22T18:06:00-05:30",          NOV_22 },
                { "2026-11-23T05:21:00+05:45",          NOV_22 },
                { "2026-11-22T23:36:00-00:00",          NOV_22 },
                { "2026-11-22T23:36:00.5Z",             NOV_22 + 500000 },
                { "2026-11-22T23:36:00.000001Z",        NOV_22 + 1 },
                { "2026-11-22T23:36:00.123456789Z",     NOV_22 + 123456 },
                { "2026-11-22T23:36:00.99999999999999999999999Z", NOV_22 + 999999 },
                { "1970-01-01T00:00:00Z",               0 },
                { "1970-01-01T00:00:01Z",               USEC_PER_SEC },
                { "1972-02-29T00:00:00Z",               UINT64_C(68169600) * USEC_PER_SEC },
                { "2000-02-29T12:00:00Z",               UINT64_C(951825600) * USEC_PER_SEC },
                { "2016-12-31T23:59:60Z",               UINT64_C(1483228800) * USEC_PER_SEC }, /* a leap second */
                { "2038-01-19T03:14:08Z",               UINT64_C(2147483648) * USEC_PER_SEC },
                { "9999-12-31T23:59:59Z",               UINT64_C(253402300799) * USEC_PER_SEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 42;

                test_case("%s", cases[i].text);
                CHECK_INT(clock_parse_rfc3339(cases[i].text, &usec), 0);
                CHECK_UINT(usec, cases[i].usec);
        }
}

TEST(rfc3339_refuses) {
        static const char *const cases[] = {
                "", "now", "2026-11-22", "2026-11-22T23:36Z", "2026-11-22T23:36:00", "2026-11-22T23:36:00+0100",
                "2026-11-22T23:36:00+01", "2026-11-22T23:36:00+24:00", "2026-11-22T23:36:00+01:60", "2026-11-22T23:36:00.Z",
                "2026-11-22T23:36:00,5Z", "2026-13-22T23:36:00Z", "2026-00-22T23:36:00Z", "2026-11-31T23:36:00Z", "2026-11-00T23:36:00Z",
                "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T23:60:00Z", "2026-11-22T23:36:61Z",
                "2026-11-22T23:36:00Z ", " 2026-11-22T23:36:00Z", "2026-11-22T23:36:00Zx", "1969-12-31T23:59:59Z",
                "1970-01-01T00:00:00+00:01", "10000-01-01T00:00:00Z", "-2026-11-22T23:36:00Z", "2026-11-22T+3:36:00Z",
                "2026-1-22T23:36:00Z", "26-11-22T23:36:00Z", "2026-11-22T23:36:00 Z", "2026-11-22T23:36:00UTC",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 42;

                test_case("%s", cases[i]);
                CHECK_INT(clock_parse_rfc3339(cases[i], &usec), -EINVAL);
                CHECK_UINT(usec, 42);
        }
        CHECK_INT(clock_parse_rfc3339(NULL, &(uint64_t) { 0 }), -EINVAL);
}

TEST(http_date) {
        static const struct {
                const char *text;
                uint64_t usec;
        } cases[] = {
                { "Sun, 06 Nov 1994 08:49:37 GMT",      UINT64_C(784111777) * USEC_PER_SEC },
                { "Sunday, 06-Nov-94 08:49:37 GMT",     UINT64_C(784111777) * USEC_PER_SEC },
                { "Sun Nov  6 08:49:37 1994",           UINT64_C(784111777) * USEC_PER_SEC },
                { "Sun, 22 Nov 2026 23:36:00 GMT",      NOV_22 },
                { "Sunday, 22-Nov-26 23:36:00 GMT",     NOV_22 },
                { "Sun Nov 22 23:36:00 2026",           NOV_22 },
                { "Mon, 22 Nov 2026 23:36:00 GMT",      NOV_22 }, /* the wrong day */
                { "Thu, 01 Jan 1970 00:00:00 GMT",      0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 42;

                test_case("%s", cases[i].text);
                CHECK_INT(clock_parse_http_date(cases[i].text, &usec), 0);
                CHECK_UINT(usec, cases[i].usec);
        }
}

TEST(http_date_refuses) {
        static const char *const cases[] = {
                "", "120", "Sun", "Sun,", "Sunday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
                "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
                "Sunday, 06 Nov 1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994", "Sun, 31 Feb 2026 08:49:37 GMT",
                "Sun, 06 nov 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1969 08:49:37 GMT",
                "Sun, 06 Nov 1994 24:49:37 GMT", "Sunday Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 +0000",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 42;

                test_case("%s", cases[i]);
                CHECK_INT(clock_parse_http_date(cases[i], &usec), -EINVAL);
                CHECK_UINT(usec, 42);
        }
        CHECK_INT(clock_parse_http_date(NULL, &(uint64_t) { 0 }), -EINVAL);
}

TEST(formats) {
        char rfc3339[CLOCK_RFC3339_MAX], rfc822[CLOCK_RFC822_MAX], human[CLOCK_HUMAN_MAX];

        CHECK_STR(clock_format_rfc3339(rfc3339, NOV_22), "2026-11-22T23:36:00Z");
        CHECK_STR(clock_format_rfc3339(rfc3339, NOV_22 + 1500), "2026-11-22T23:36:00.001500Z");
        CHECK_STR(clock_format_rfc3339(rfc3339, 0), "1970-01-01T00:00:00Z");
        CHECK_STR(clock_format_rfc822(rfc822, NOV_22), "Sun, 22 Nov 2026 23:36:00 GMT");
        CHECK_STR(clock_format_rfc822(rfc822, UINT64_C(784111777) * USEC_PER_SEC), "Sun, 06 Nov 1994 08:49:37 GMT");
        CHECK_STR(clock_format_utc(human, NOV_22 + 7), "2026-11-22 23:36:00 UTC");
        CHECK_STR(clock_format_utc(human, 0), "-");
        CHECK_STR(clock_format_utc(human, USEC_INFINITY), "never");

        /* The last time there is fits everywhere. */
        CHECK_STR(clock_format_rfc3339(rfc3339, USEC_INFINITY), "586524-01-19T08:01:49.551615Z");
        CHECK_STR(clock_format_rfc822(rfc822, USEC_INFINITY) + 5, "19 Jan 586524 08:01:49 GMT");
}

TEST(what_is_written_can_be_read) {
        for (uint64_t usec = 1; usec < UINT64_C(253402300799) * USEC_PER_SEC; usec = usec * 3 + 12345) {
                char rfc3339[CLOCK_RFC3339_MAX], rfc822[CLOCK_RFC822_MAX];
                uint64_t back = 0;

                test_case("%llu", (unsigned long long) usec);
                CHECK_INT(clock_parse_rfc3339(clock_format_rfc3339(rfc3339, usec), &back), 0);
                CHECK_UINT(back, usec);
                CHECK_INT(clock_parse_http_date(clock_format_rfc822(rfc822, usec), &back), 0);
                CHECK_UINT(back, usec / USEC_PER_SEC * USEC_PER_SEC);
        }
}

TEST(the_time_zone_does_not_matter) {
        char human[CLOCK_HUMAN_MAX];
        uint64_t usec = 0;

        CHECK_INT(setenv("TZ", "America/New_York", true), 0);
        tzset();
        CHECK_STR(clock_format_utc(human, NOV_22), "2026-11-22 23:36:00 UTC");
        CHECK_INT(clock_parse_rfc3339("2026-11-22T23:36:00Z", &usec), 0);
        CHECK_UINT(usec, NOV_22);
        CHECK_INT(clock_parse_http_date("Sun, 22 Nov 2026 23:36:00 GMT", &usec), 0);
        CHECK_UINT(usec, NOV_22);
}

TEST(relative) {
        static const struct {
                uint64_t usec;
                const char *text;
        } cases[] = {
                { 0,                                    "-" },
                { USEC_INFINITY,                        "never" },
                { NOV_22,                               "now" },
                { NOV_22 + 999999,                      "now" },
                { NOV_22 - 999999,                      "now" },
                { NOV_22 + USEC_PER_SEC,                "in 1 s" },
                { NOV_22 - 59 * USEC_PER_SEC,           "59 s ago" },
                { NOV_22 - 3 * USEC_PER_MINUTE,         "3 min ago" },
                { NOV_22 + 23 * USEC_PER_HOUR,          "in 23 h" },
                { NOV_22 + USEC_PER_DAY,                "in 1 day" },
                { NOV_22 + 30 * USEC_PER_DAY - 1,       "in 29 days" },
                { NOV_22 - 400 * USEC_PER_DAY,          "400 days ago" },
        };
        char human[CLOCK_HUMAN_MAX];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                CHECK_STR(clock_format_relative(human, cases[i].usec, NOV_22), cases[i].text);
}

TEST(timespan) {
        static const struct {
                uint64_t usec;
                const char *text;
        } cases[] = {
                { 0,                                            "0s" },
                { 7,                                            "7us" },
                { 250 * USEC_PER_MSEC,                          "250ms" },
                { 1500 * USEC_PER_MSEC,                         "1s 500ms" },
                { 90 * USEC_PER_SEC,                            "1min 30s" },
                { USEC_PER_HOUR,                                "1h" },
                { USEC_PER_HOUR + 5 * USEC_PER_SEC,             "1h" },
                { 29 * USEC_PER_DAY + 3 * USEC_PER_HOUR + 9,    "29d 3h" },
                { USEC_INFINITY,                                "infinity" },
        };
        char human[CLOCK_HUMAN_MAX];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                CHECK_STR(clock_format_timespan(human, cases[i].usec), cases[i].text);
}
