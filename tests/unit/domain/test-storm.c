/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/storm.h"

#include <stdio.h>

#include "base/clock.h"
#include "lib/test.h"

#define T0 (UINT64_C(1700000000) * USEC_PER_SEC)
#define WINDOW USEC_PER_MINUTE

TEST(the_first_is_told_at_once_the_others_together) {
        _cleanup_(storms_freep) Storms *s = storms_new(WINDOW);
        uint64_t at = T0, width = WINDOW;

        REQUIRE(s);
        CHECK_UINT(storms_wait_until(s, "a", at), 0);
        CHECK_INT(storms_note_told(s, "a", at), 0);
        CHECK_UINT(storms_wait_until(s, "b", at), 0);
        for (unsigned i = 0; i < 10; i++) { /* it goes on */
                test_case("%u", i);
                CHECK_UINT(storms_wait_until(s, "a", at), at + width);
                CHECK_UINT(storms_wait_until(s, "a", at + width - 1), at + width);
                at += width;
                CHECK_INT(storms_note_told(s, "a", at), 0);
                width = MIN_OF(2 * width, STORM_WINDOW_MAX_USEC);
        }
        CHECK_UINT(width, STORM_WINDOW_MAX_USEC);

        test_case("a quiet window ends it");
        CHECK(storms_wait_until(s, "a", at + 2 * width - 1) <= at + 2 * width - 1);
        CHECK_UINT(storms_wait_until(s, "a", at + 2 * width), 0);
        at += 2 * width;
        CHECK_INT(storms_note_told(s, "a", at), 0);
        CHECK_UINT(storms_wait_until(s, "a", at), at + WINDOW);
}

TEST(a_clock_that_is_put_back_ends_it) {
        _cleanup_(storms_freep) Storms *s = storms_new(WINDOW);

        REQUIRE(s);
        CHECK_INT(storms_note_told(s, "a", T0), 0);
        CHECK_UINT(storms_wait_until(s, "a", T0 - USEC_PER_DAY), 0);
        CHECK_INT(storms_note_told(s, "a", T0 - USEC_PER_DAY), 0);
        CHECK_UINT(storms_wait_until(s, "a", T0 - USEC_PER_DAY), T0 - USEC_PER_DAY + WINDOW);
}

TEST(none_are_wanted) {
        _cleanup_(storms_freep) Storms *s = storms_new(0);

        REQUIRE(s);
        CHECK_INT(storms_note_told(s, "a", T0), 0);
        CHECK_UINT(storms_wait_until(s, "a", T0), 0);
}

TEST(a_ceiling) {
        _cleanup_(storms_freep) Storms *s = storms_new(WINDOW);
        char cause[32];

        REQUIRE(s);
        for (unsigned i = 0; i < STORMS_MAX + 10; i++) {
                (void) snprintf(cause, sizeof(cause), "%u", i);
                CHECK_INT(storms_note_told(s, cause, T0), 0);
        }
        CHECK_UINT(storms_wait_until(s, "0", T0), T0 + WINDOW);
        CHECK_UINT(storms_wait_until(s, cause, T0), 0);
        test_case("when those have gone");
        CHECK_INT(storms_note_told(s, cause, T0 + 2 * WINDOW), 0);
        CHECK_UINT(storms_wait_until(s, cause, T0 + 2 * WINDOW), T0 + 3 * WINDOW);
        CHECK_UINT(storms_wait_until(s, "0", T0 + 2 * WINDOW), 0);
}
