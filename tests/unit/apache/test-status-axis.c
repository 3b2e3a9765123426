/* SPDX-License-Identifier: Apache-2.0 */
#include "status-axis.h"

#include <string.h>

#include "base/clock.h"
#include "lib/test.h"

#define NOW (UINT64_C(1795404600) * USEC_PER_SEC) /* 2026-11-23 03:30 */

static StatusAxis axis(uint64_t back_usec, uint64_t ahead_usec) {
        StatusAxis a;

        status_axis_init(&a, NOW);
        status_axis_include(&a, usec_sub(NOW, back_usec), usec_add(NOW, ahead_usec));
        status_axis_finish(&a);
        return a;
}

TEST(places) {
        StatusAxis a = axis(30 * USEC_PER_DAY, 60 * USEC_PER_DAY);
        unsigned before = status_axis_place(&a, NOW - 30 * USEC_PER_DAY), now = status_axis_place(&a, NOW), after = status_axis_place(&a, NOW + 60 * USEC_PER_DAY);

        CHECK(before > 0 && before < now && now < after && after < 10000);
        CHECK_UINT(status_axis_place(&a, 0), 0);
        CHECK_UINT(status_axis_place(&a, 1), 0);
        CHECK_UINT(status_axis_place(&a, USEC_INFINITY), 10000);
}

/* What nobody can see or believe does not spoil the picture for the others. */
TEST(extremes) {
        static const struct {
                const char *what;
                uint64_t from, until;
        } cases[] = {
                { "nothing", 0, 0 }, { "the other way round", NOW, NOW - 1 }, { "ages", 1, USEC_INFINITY }, { "a moment", NOW, NOW + 1 },
                { "long ago", 1, 2 }, { "far ahead", USEC_INFINITY - 1, USEC_INFINITY },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                StatusTick ticks[STATUS_AXIS_TICKS_MAX];
                StatusAxis a;
                size_t n;

                test_case("%s", cases[i].what);
                status_axis_init(&a, NOW);
                status_axis_include(&a, cases[i].from, cases[i].until);
                status_axis_finish(&a);
                CHECK(a.from_usec < NOW && NOW < a.until_usec);
                CHECK(a.until_usec - a.from_usec <= 545 * USEC_PER_DAY);
                n = status_axis_ticks(&a, ticks);
                CHECK(n <= STATUS_AXIS_TICKS_MAX);
                for (size_t k = 0; k < n; k++)
                        CHECK(ticks[k].place <= 10000 && (k == 0 || ticks[k].place > ticks[k - 1].place));
        }
}

TEST(ticks) {
        static const struct {
                uint64_t back, ahead;
                const char *first;
                size_t n;
        } cases[] = {
                { 30 * USEC_PER_DAY, 90 * USEC_PER_DAY, "Nov", 4 },
                { 2 * USEC_PER_DAY, 4 * USEC_PER_DAY, "22 Nov", 6 },
                { 12 * USEC_PER_HOUR, 12 * USEC_PER_HOUR, "18:00", 4 },
                { 100 * USEC_PER_DAY, 390 * USEC_PER_DAY, "Oct", 5 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                StatusAxis a = axis(cases[i].back, cases[i].ahead);
                StatusTick ticks[STATUS_AXIS_TICKS_MAX];
                size_t n = status_axis_ticks(&a, ticks);

                test_case("%zu", i);
                REQUIRE(n > 0);
                CHECK_STR(ticks[0].label, cases[i].first);
                CHECK_UINT(n, cases[i].n);
        }
}
