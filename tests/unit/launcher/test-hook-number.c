/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/hook-number.h"

#include "base/clock.h"
#include "lib/test.h"

#define NOW (UINT64_C(1924000000) * USEC_PER_SEC)

static const struct {
        const char *what;
        uint64_t before_usec, after_usec; /* of the clock, on both sides of a new start of the launcher */
} starts[] = {
        { "in the same second",     NOW,                NOW + 7                },
        { "clock set back",         NOW + USEC_PER_DAY, NOW                    },
        { "clock set to the past",  NOW,                USEC_PER_SEC           },
        { "no clock",               0,                  0                      },
        { "the end of 2199",        NOW,                UINT64_C(7258118399) * USEC_PER_SEC },
};

/* The launcher leaves when it is idle, and knows nothing of the one before it. */
TEST(another_start_gives_other_numbers) {
        for (size_t i = 0; i < ELEMENTSOF(starts); i++) {
                uint64_t last[2] = { 0 };

                test_case("%s", starts[i].what);
                for (unsigned n = 0; n < 100; n++) {
                        uint64_t before = hook_number_next(last[0], starts[i].before_usec, (n + 1) * UINT64_C(0x9e3779b1));
                        uint64_t after = hook_number_next(last[1], starts[i].after_usec, (n + 1) * UINT64_C(0x85ebca6b));

                        CHECK(before > last[0] && after > last[1]);
                        CHECK(before != after);
                        last[0] = before;
                        last[1] = after;
                }
        }
}

TEST(later_ones_are_larger) {
        uint64_t first = hook_number_next(0, NOW, UINT64_MAX);

        CHECK_UINT(hook_number_next(first, NOW, 0), first + 1);
        CHECK_UINT(hook_number_next(first, NOW - USEC_PER_DAY, UINT64_MAX), first + 1);
        CHECK(hook_number_next(first, NOW + USEC_PER_SEC, 0) > first);
        CHECK_UINT(first / hook_number_next(0, USEC_PER_SEC, 0), NOW / USEC_PER_SEC);
}
