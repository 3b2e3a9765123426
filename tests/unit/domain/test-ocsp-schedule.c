/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/ocsp-schedule.h"

#include "base/clock.h"
#include "lib/test.h"

#define NOW (1800000000 * USEC_PER_SEC)

TEST(refresh) {
        static const struct {
                const char *what;
                Window window;
                uint64_t age, life; /* of the answer when it came */
                uint64_t earliest, latest; /* from now */
        } cases[] = {
                { "by default, a third before the end", { 0 }, 0, 100 * USEC_PER_HOUR, 67 * USEC_PER_HOUR, 70 * USEC_PER_HOUR + 18 * USEC_PER_MINUTE },
                { "a percentage", { .percent = 50 }, 0, 100 * USEC_PER_HOUR, 50 * USEC_PER_HOUR, 55 * USEC_PER_HOUR },
                { "a length of time", { .usec = USEC_PER_HOUR }, 0, 10 * USEC_PER_HOUR, 9 * USEC_PER_HOUR, 9 * USEC_PER_HOUR + 6 * USEC_PER_MINUTE },
                { "a length beyond its life", { .usec = 365 * USEC_PER_DAY }, 0, 9 * USEC_PER_HOUR, 3 * USEC_PER_HOUR, 3 * USEC_PER_HOUR + 36 * USEC_PER_MINUTE },
                { "signed long ago", { 0 }, 90 * USEC_PER_HOUR, 100 * USEC_PER_HOUR, 10 * USEC_PER_HOUR / 3, 4 * USEC_PER_HOUR },
                { "a second long", { 0 }, 0, USEC_PER_SEC, USEC_PER_SEC / 2, USEC_PER_SEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t from = NOW - cases[i].age, until = from + cases[i].life;

                test_case("%s", cases[i].what);
                CHECK(ocsp_schedule_refresh_usec(&cases[i].window, from, until, NOW, 0) >= NOW + cases[i].earliest);
                CHECK(ocsp_schedule_refresh_usec(&cases[i].window, from, until, NOW, UINT32_MAX) <= NOW + cases[i].latest);
                CHECK(ocsp_schedule_refresh_usec(&cases[i].window, from, until, NOW, 0) < ocsp_schedule_refresh_usec(&cases[i].window, from, until, NOW, UINT32_MAX));
                CHECK(ocsp_schedule_refresh_usec(&cases[i].window, from, until, NOW, UINT32_MAX) < until);
        }
}

TEST(refresh_of_what_counts_for_years) {
        uint64_t first = ocsp_schedule_refresh_usec(&(Window){ 0 }, NOW, NOW + 3650 * USEC_PER_DAY, NOW, UINT32_MAX),
                 last = ocsp_schedule_refresh_usec(&(Window){ 0 }, NOW, NOW + 3650 * USEC_PER_DAY, NOW, 0);

        CHECK_UINT(last, NOW + 7 * USEC_PER_DAY);
        CHECK(first < last && first >= NOW + 6 * USEC_PER_DAY);
}

TEST(refresh_of_what_has_ended) {
        CHECK(ocsp_schedule_refresh_usec(&(Window){ 0 }, NOW - USEC_PER_HOUR, NOW - USEC_PER_MINUTE, NOW, 0) <= NOW);
}

TEST(keep) {
        static const struct {
                const char *what;
                Window planned_with, window;
                uint64_t age, life; /* of the answer when it came */
                bool kept;
        } cases[] = {
                { "the same setting: none", { 0 }, { 0 }, 0, 100 * USEC_PER_HOUR, true },
                { "the same setting: a percentage", { .percent = 10 }, { .percent = 10 }, 0, 100 * USEC_PER_HOUR, true },
                { "the same setting: a length of time", { .usec = 2 * USEC_PER_HOUR }, { .usec = 2 * USEC_PER_HOUR }, 0, 100 * USEC_PER_HOUR, true },
                { "the same setting, written otherwise", { .usec = 10 * USEC_PER_HOUR }, { .percent = 10 }, 0, 100 * USEC_PER_HOUR, true },
                { "a larger window", { .percent = 10 }, { .percent = 50 }, 0, 100 * USEC_PER_HOUR, false },
                { "a smaller one", { .percent = 50 }, { .percent = 10 }, 0, 100 * USEC_PER_HOUR, false },
                { "none any more", { .usec = 2 * USEC_PER_HOUR }, { 0 }, 0, 100 * USEC_PER_HOUR, false },
                { "it was old when it came", { .percent = 10 }, { .percent = 10 }, 95 * USEC_PER_HOUR, 100 * USEC_PER_HOUR, true },
                { "it counts for years", { 0 }, { .percent = 10 }, 0, 3650 * USEC_PER_DAY, true },
                { "it came late, and counts for years", { 0 }, { 0 }, 3000 * USEC_PER_DAY, 3650 * USEC_PER_DAY, true },
                { "a second long", { 0 }, { 0 }, 0, USEC_PER_SEC, true },
        };
        static const uint32_t randoms[] = { 0, 1, UINT32_MAX / 3, UINT32_MAX / 2, UINT32_MAX - 1, UINT32_MAX };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (size_t k = 0; k < ELEMENTSOF(randoms); k++) {
                        uint64_t from = NOW - cases[i].age, until = from + cases[i].life, came = NOW + 123456;
                        uint64_t planned = ocsp_schedule_refresh_usec(&cases[i].planned_with, from, until, came, randoms[k]) / USEC_PER_SEC * USEC_PER_SEC;
                        OcspTimes times = { from, until, NOW };
                        uint64_t kept = ocsp_schedule_keep_usec(&cases[i].window, &times, planned, UINT32_MAX / 7);

                        test_case("%s, %u", cases[i].what, randoms[k]);
                        CHECK_UINT(kept, cases[i].kept ? planned : ocsp_schedule_refresh_usec(&cases[i].window, from, until, NOW, UINT32_MAX / 7));
                        CHECK_UINT(ocsp_schedule_keep_usec(&cases[i].window, &times, kept, UINT32_MAX / 2), kept);
                }
}

TEST(keep_after_a_wrong_clock) {
        OcspTimes times = { NOW, NOW + 30 * USEC_PER_HOUR, NOW };
        uint64_t expected = ocsp_schedule_refresh_usec(&(Window){ 0 }, NOW, NOW + 30 * USEC_PER_HOUR, NOW, 7);

        CHECK_UINT(ocsp_schedule_keep_usec(&(Window){ 0 }, &times, NOW + 28 * USEC_PER_HOUR, 7), expected);
        CHECK_UINT(ocsp_schedule_keep_usec(&(Window){ 0 }, &times, 0, 7), expected);
        CHECK_UINT(ocsp_schedule_keep_usec(&(Window){ 0 }, &times, UINT64_MAX, 7), expected);
        times.came_usec = 0; /* mod_md wrote it */
        CHECK_UINT(ocsp_schedule_keep_usec(&(Window){ 0 }, &times, UINT64_MAX, 7), expected);
}

TEST(retry) {
        static const struct {
                const char *what;
                uint64_t base;
                unsigned errors;
                uint64_t said; /* from now */
                uint64_t least, most;
        } cases[] = {
                { "the first one", 30 * USEC_PER_SEC, 1, 0, 30 * USEC_PER_SEC, 30 * USEC_PER_SEC },
                { "doubled", 30 * USEC_PER_SEC, 3, 0, 60 * USEC_PER_SEC, 120 * USEC_PER_SEC },
                { "an hour at the most", 30 * USEC_PER_SEC, 40, 0, USEC_PER_HOUR, USEC_PER_HOUR },
                { "the default", 0, 1, 0, 30 * USEC_PER_SEC, 30 * USEC_PER_SEC },
                { "what was said", 30 * USEC_PER_SEC, 1, 2 * USEC_PER_HOUR, 2 * USEC_PER_HOUR, 2 * USEC_PER_HOUR },
                { "… but no nonsense", 30 * USEC_PER_SEC, 1, 400 * USEC_PER_DAY, USEC_PER_DAY, USEC_PER_DAY },
                { "… nor sooner", 30 * USEC_PER_SEC, 1, 1, 30 * USEC_PER_SEC, 30 * USEC_PER_SEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t said = cases[i].said > 0 ? NOW + cases[i].said : 0;

                test_case("%s", cases[i].what);
                CHECK_UINT(ocsp_schedule_retry_usec(cases[i].base, cases[i].errors, said, NOW, 0), NOW + cases[i].least);
                CHECK_UINT(ocsp_schedule_retry_usec(cases[i].base, cases[i].errors, said, NOW, UINT32_MAX), NOW + cases[i].most);
        }
}

TEST(check_planned) {
        static const struct {
                const char *what;
                uint64_t planned;
                int64_t until; /* from now; 0: there is no answer */
                unsigned errors;
                bool kept;
        } cases[] = {
                { "after a good answer", USEC_PER_HOUR, 2 * USEC_PER_HOUR, 0, true },
                { "at its end", 2 * USEC_PER_HOUR, 2 * USEC_PER_HOUR, 0, true },
                { "beyond its end", 2 * USEC_PER_HOUR + 1, 2 * USEC_PER_HOUR, 0, false },
                { "a week, of one that counts for years", 7 * USEC_PER_DAY, 3650 * USEC_PER_DAY, 0, true },
                { "a failure, and the answer has run out", USEC_PER_HOUR, -(int64_t) USEC_PER_MINUTE, 6, true },
                { "a failure, and the answer runs out before", USEC_PER_HOUR, USEC_PER_MINUTE, 6, true },
                { "a failure, and what the responder said at the most", USEC_PER_DAY, USEC_PER_MINUTE, 1, true },
                { "a failure, and more than that", USEC_PER_DAY + 1, 30 * USEC_PER_DAY, 1, false },
                { "a failure, and never an answer", USEC_PER_HOUR, 0, 1, true },
                { "never an answer, and a wrong clock", 30 * USEC_PER_DAY, 0, 1, false },
                { "nothing at all", 0, 0, 0, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t until = cases[i].until != 0 ? NOW + (uint64_t) cases[i].until : 0;

                test_case("%s", cases[i].what);
                CHECK_UINT(ocsp_schedule_check_usec(NOW + cases[i].planned, until, cases[i].errors, NOW), cases[i].kept ? NOW + cases[i].planned : 0);
        }
}

TEST(look) {
        static const struct {
                const char *what;
                uint64_t refresh, until; /* from now; 0 for 'until': none */
                uint64_t expected;
        } cases[] = {
                { "there is none", 0, 0, USEC_PER_SEC },
                { "long before the refresh", 3 * USEC_PER_DAY, 7 * USEC_PER_DAY, USEC_PER_HOUR },
                { "before the refresh", 10 * USEC_PER_MINUTE, 7 * USEC_PER_DAY, 10 * USEC_PER_MINUTE + USEC_PER_SEC },
                { "it should be there", 0, 7 * USEC_PER_DAY, USEC_PER_MINUTE },
                { "half an hour left", 0, 30 * USEC_PER_MINUTE, 30 * USEC_PER_SEC },
                { "nearly over", 0, 10 * USEC_PER_SEC, USEC_PER_SEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].what);
                CHECK_UINT(ocsp_schedule_look_usec(NOW + cases[i].refresh, cases[i].until > 0 ? NOW + cases[i].until : 0, NOW), NOW + cases[i].expected);
        }
}

TEST(look_is_due) {
        CHECK(ocsp_schedule_look_is_due(0, NOW));
        CHECK(ocsp_schedule_look_is_due(NOW, NOW));
        CHECK(!ocsp_schedule_look_is_due(NOW + 1, NOW));
        CHECK(!ocsp_schedule_look_is_due(NOW + USEC_PER_HOUR, NOW));
        CHECK(ocsp_schedule_look_is_due(NOW + USEC_PER_DAY, NOW)); /* the clock was set back */
}
