/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parse.h"

#include <errno.h>

#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"

typedef struct Case {
        const char *text;
        int expected;
        uint64_t value;
} Case;

TEST(uint64) {
        static const Case cases[] = {
                { "0", 0, 0 }, { "7", 0, 7 }, { "007", 0, 7 }, { "18446744073709551615", 0, UINT64_MAX },
                { "18446744073709551616", -ERANGE }, { "99999999999999999999999", -ERANGE },
                { "99999999999999999999999x", -EINVAL },
                { NULL, -EINVAL }, { "", -EINVAL }, { "-1", -EINVAL }, { "+1", -EINVAL }, { " 1", -EINVAL }, { "1 ", -EINVAL },
                { "0x10", -EINVAL }, { "1.0", -EINVAL }, { "1e3", -EINVAL }, { "one", -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t value = 42;

                test_case("%s", str_or(cases[i].text, "NULL"));
                CHECK_INT(parse_uint64(cases[i].text, &value), cases[i].expected);
                CHECK_UINT(value, cases[i].expected == 0 ? cases[i].value : 42);
        }
}

TEST(uint32) {
        uint32_t value = 42;

        CHECK_INT(parse_uint32("4294967296", &value), -ERANGE);
        CHECK_INT(parse_uint32("-1", &value), -EINVAL);
        CHECK_INT(parse_uint32("99999999999999999999", &value), -ERANGE);
        CHECK_UINT(value, 42);
        CHECK_INT(parse_uint32("4294967295", &value), 0);
        CHECK_UINT(value, UINT32_MAX);
}

TEST(port) {
        uint16_t value = 42;

        CHECK_INT(parse_port("0", &value), -ERANGE);
        CHECK_INT(parse_port("65536", &value), -ERANGE);
        CHECK_INT(parse_port("http", &value), -EINVAL);
        CHECK_INT(parse_port(NULL, &value), -EINVAL);
        CHECK_UINT(value, 42);
        CHECK_INT(parse_port("1", &value), 0);
        CHECK_UINT(value, 1);
        CHECK_INT(parse_port("65535", &value), 0);
        CHECK_UINT(value, 65535);
}

TEST(size) {
        static const struct {
                const char *text;
                int result;
                uint64_t value;
        } cases[] = {
                { "0", 0, 0 },
                { "4096", 0, 4096 },
                { "1K", 0, 1024 },
                { "512M", 0, UINT64_C(512) << 20 },
                { "2G", 0, UINT64_C(2) << 30 },
                { "16777215T", 0, UINT64_C(16777215) << 40 },
                { "16777216T", -ERANGE, 0 },
                { "18446744073709551616", -ERANGE, 0 },
                { "", -EINVAL, 0 },
                { "M", -EINVAL, 0 },
                { "1m", -EINVAL, 0 },
                { "1MB", -EINVAL, 0 },
                { "1 M", -EINVAL, 0 },
                { "-1", -EINVAL, 0 },
                { "50%", -EINVAL, 0 },
                { NULL, -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t value = 77;

                test_case("%s", cases[i].text ? cases[i].text : "NULL");
                CHECK_INT(parse_size(cases[i].text, &value), cases[i].result);
                CHECK_UINT(value, cases[i].result == 0 ? cases[i].value : 77);
        }
}

TEST(boolean) {
        static const char *const yes[] = { "yes", "YES", "true", "True", "on", "1" };
        static const char *const no[] = { "no", "false", "FALSE", "off", "Off", "0" };
        static const char *const bad[] = { NULL, "", "y", "2", "yes ", "maybe" };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                bool value = false;

                CHECK_INT(parse_boolean(yes[i], &value), 0);
                CHECK(value);
        }
        for (size_t i = 0; i < ELEMENTSOF(no); i++) {
                bool value = true;

                CHECK_INT(parse_boolean(no[i], &value), 0);
                CHECK(!value);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                bool value = true;

                CHECK_INT(parse_boolean(bad[i], &value), -EINVAL);
                CHECK(value);
        }
}

TEST(seconds) {
        static const Case cases[] = {
                { "30s", 0, 30 * USEC_PER_SEC }, { "30", 0, 30 * USEC_PER_SEC }, { "0", 0, 0 }, { "5min", 0, 5 * USEC_PER_MINUTE },
                { "5m", 0, 5 * USEC_PER_MINUTE }, { "1h 30min", 0, 90 * USEC_PER_MINUTE }, { "1h30min", 0, 90 * USEC_PER_MINUTE },
                { "2 h", 0, 2 * USEC_PER_HOUR }, { " 2hours ", 0, 2 * USEC_PER_HOUR }, { "2d", 0, 2 * USEC_PER_DAY },
                { "1w", 0, 7 * USEC_PER_DAY }, { "1month", 0, 2629800 * USEC_PER_SEC }, { "1M", 0, 2629800 * USEC_PER_SEC },
                { "1y 12month", 0, 2 * 31557600 * USEC_PER_SEC }, { "55s500ms", 0, 55500 * USEC_PER_MSEC },
                { "300ms20s 5day", 0, 300 * USEC_PER_MSEC + 20 * USEC_PER_SEC + 5 * USEC_PER_DAY },
                { "7us", 0, 7 }, { "7\xc2\xb5s", 0, 7 }, { "7\xce\xbcs", 0, 7 }, { "5min 20", 0, 320 * USEC_PER_SEC },
                { NULL, -EINVAL }, { "", -EINVAL }, { " ", -EINVAL }, { "-1s", -EINVAL }, { "s", -EINVAL }, { "1x", -EINVAL },
                { "1S", -EINVAL }, { "1.5h", -EINVAL }, { "1h,30min", -EINVAL }, { "infinity", -EINVAL }, { "1h x", -EINVAL },
                { "99999999999y", -ERANGE }, { "18446744073709551615us", -ERANGE }, { "18446744073709551616us", -ERANGE },
                { "18446744073709551614us 1us 1us", -ERANGE }, { "99999999999y x", -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t value = 42;

                test_case("%s", str_or(cases[i].text, "NULL"));
                CHECK_INT(parse_seconds_usec(cases[i].text, &value), cases[i].expected);
                CHECK_UINT(value, cases[i].expected == 0 ? cases[i].value : 42);
        }
}

TEST(md_duration) {
        static const struct {
                const char *text, *unit;
                int expected;
                uint64_t value;
        } cases[] = {
                { "30d", "s", 0, 30 * USEC_PER_DAY }, { "10days", "s", 0, 10 * USEC_PER_DAY }, { "30D", NULL, 0, 30 * USEC_PER_DAY },
                { "30", "d", 0, 30 * USEC_PER_DAY }, { "30", "s", 0, 30 * USEC_PER_SEC }, { "30", NULL, 0, 30 * USEC_PER_SEC },
                { "5", "mi", 0, 5 * USEC_PER_MINUTE }, { "12h", "d", 0, 12 * USEC_PER_HOUR }, { "12Hours", "d", 0, 12 * USEC_PER_HOUR },
                { "5mi", "d", 0, 5 * USEC_PER_MINUTE }, { "5Minutes", "d", 0, 5 * USEC_PER_MINUTE },
                { "250ms", "d", 0, 250 * USEC_PER_MSEC }, { "7sec", "d", 0, 7 * USEC_PER_SEC }, { "0", "d", 0, 0 },
                { NULL, "d", -EINVAL }, { "", "d", -EINVAL }, { "d", "d", -EINVAL }, { "10m", "d", -EINVAL }, { "10months", "d", -EINVAL },
                { "-1d", "d", -EINVAL }, { "1.5d", "d", -EINVAL }, { "1 d", "d", -EINVAL }, { "1w", "d", -EINVAL }, { "33%", "d", -EINVAL },
                { "999999999999999d", "d", -ERANGE }, { "99999999999999999999", "d", -ERANGE }, { "99999999999999999999x", "d", -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t value = 42;

                test_case("%s", str_or(cases[i].text, "NULL"));
                CHECK_INT(parse_md_duration_usec(cases[i].text, cases[i].unit, &value), cases[i].expected);
                CHECK_UINT(value, cases[i].expected == 0 ? cases[i].value : 42);
        }
}
