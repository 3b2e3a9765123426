/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/expiry.h"

#include "base/clock.h"
#include "lib/test.h"

#define DAY USEC_PER_DAY
#define HOUR USEC_PER_HOUR

TEST(steps) {
        static const struct {
                const char *what;
                uint64_t warn, end, now;
                ExpiryStep step;
                uint64_t next;
        } cases[] = {
                { "long before", 81 * DAY, 90 * DAY, 30 * DAY, EXPIRY_FAR, 81 * DAY },
                { "just before", 81 * DAY, 90 * DAY, 81 * DAY - 1, EXPIRY_FAR, 81 * DAY },
                { "it begins", 81 * DAY, 90 * DAY, 81 * DAY, EXPIRY_NOTICED, 81 * DAY + 108 * HOUR },
                { "half of it", 80 * DAY, 90 * DAY, 85 * DAY, EXPIRY_NEAR, 80 * DAY + 180 * HOUR },
                { "three quarters", 80 * DAY, 90 * DAY, 88 * DAY, EXPIRY_NEARER, 89 * DAY },
                { "the last day", 80 * DAY, 90 * DAY, 89 * DAY, EXPIRY_LAST_DAY, 90 * DAY },
                { "the last moment", 80 * DAY, 90 * DAY, 90 * DAY - 1, EXPIRY_LAST_DAY, 90 * DAY },
                { "the end", 80 * DAY, 90 * DAY, 90 * DAY, EXPIRY_PASSED, 0 },
                { "long ago", 80 * DAY, 90 * DAY, 900 * DAY, EXPIRY_PASSED, 0 },
                { "a window shorter than a day: its last eighth", 16 * HOUR, 32 * HOUR, 30 * HOUR, EXPIRY_LAST_DAY, 32 * HOUR },
                { "… and before that", 16 * HOUR, 32 * HOUR, 30 * HOUR - 1, EXPIRY_NEARER, 30 * HOUR },
                { "a window of nothing", 5 * DAY, 5 * DAY, 5 * DAY - 1, EXPIRY_FAR, 5 * DAY },
                { "… has passed at once", 5 * DAY, 5 * DAY, 5 * DAY, EXPIRY_PASSED, 0 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                uint64_t next = 1;

                test_case("%s", cases[i].what);
                CHECK_STR(expiry_step_to_string(expiry_step(cases[i].warn, cases[i].end, cases[i].now, &next)), expiry_step_to_string(cases[i].step));
                CHECK_UINT(next, cases[i].next);
                CHECK_INT(expiry_step(cases[i].warn, cases[i].end, cases[i].now, NULL), cases[i].step);
        }
}

/* Going from one begin to the next meets each step once, in order, and comes to the end. */
TEST(every_step_leads_to_a_later_one) {
        static const uint64_t windows[] = { 1, 8, 1000, HOUR, DAY, 8 * DAY, 30 * DAY };

        for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
                uint64_t warn = 10 * DAY, end = warn + windows[i], now = 0, next = 0;
                ExpiryStep step = expiry_step(warn, end, now, &next);

                test_case("%zu", i);
                CHECK_INT(step, EXPIRY_FAR);
                while (next != 0) {
                        ExpiryStep later;

                        CHECK(next > now);
                        now = next;
                        later = expiry_step(warn, end, now, &next);
                        REQUIRE(later > step);
                        step = later;
                }
                CHECK_INT(step, EXPIRY_PASSED);
                CHECK_UINT(now, end);
        }
}
