/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/budget.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "lib/test.h"

#define T0 ((uint64_t) 1700000000 * USEC_PER_SEC)
#define DAY USEC_PER_DAY
#define HOUR USEC_PER_HOUR

/* Obtained so many hours before T0, the newest first. */
static void obtain(Job *job, const uint64_t *hours, size_t n) {
        REQUIRE(job);
        for (size_t i = n; i > 0; i--)
                job_note_issued(job, T0 - hours[i - 1] * HOUR);
}

TEST(until) {
        static const struct {
                const char *what;
                unsigned per_week;
                size_t needed;
                uint64_t hours[8];
                size_t n;
                uint64_t until_hours; /* after T0; 0: now */
                size_t staged;
        } cases[] = {
                { "none so far",                        4, 1, { 0 }, 0, 0 },
                { "more keys than it grants",           4, 8, { 0 }, 0, 0 },
                { "… and again",                        4, 8, { 24 }, 1, 144 },
                { "one key, one is left",               4, 1, { 10, 20, 30 }, 3, 0 },
                { "one key, all are used",              4, 1, { 10, 20, 30, 40 }, 4, 128 },
                { "the oldest of four is a week old",   4, 1, { 10, 20, 30, 168 }, 4, 0 },
                { "more than all are used",             4, 1, { 5, 10, 20, 30, 40 }, 5, 138 },
                { "two keys, two of them are left",     4, 2, { 10, 10 }, 2, 0 },
                { "two keys, all are used",             4, 2, { 10, 10, 20, 20 }, 4, 148 },
                { "two keys, one is left",              4, 2, { 10, 20, 30 }, 3, 138 },
                { "the second of two",                  4, 1, { 10, 20, 20 }, 3, 0 },
                { "one only",                           1, 1, { 1 }, 1, 167 },
                { "one only, two keys",                 1, 2, { 1, 1 }, 2, 167 },
                { "one only, and the second of two",    1, 1, { 1 }, 1, 0, 1 },
                { "the last of eight keys",             4, 1, { 1, 1, 1, 1, 1, 1, 1 }, 7, 0, 7 },
                { "… beside those of another day",      4, 1, { 1, 1, 1, 40 }, 4, 128, 3 },
                { "no limit",                           0, 1, { 1, 1, 1, 1, 1, 1, 1, 1 }, 8, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(job_freep) Job *job = job_new("example.org");
                uint64_t expected = cases[i].until_hours > 0 ? T0 + cases[i].until_hours * HOUR : 0;
                Budget b = { cases[i].per_week, cases[i].needed, cases[i].staged };

                test_case("%s", cases[i].what);
                obtain(job, cases[i].hours, cases[i].n);
                CHECK_UINT(budget_until_usec(&b, job, T0), expected);
                if (expected > 0) {
                        CHECK(budget_until_usec(&b, job, expected - 1) > 0);
                        CHECK_UINT(budget_until_usec(&b, job, expected), 0);
                }
        }
}

/* A job remembers only so many; that is no way around the limit. */
TEST(more_than_is_remembered) {
        _cleanup_(job_freep) Job *job = job_new("example.org");

        REQUIRE(job);
        for (unsigned i = 0; i < 3 * JOB_ISSUED_MAX; i++)
                job_note_issued(job, T0 + i * USEC_PER_SEC);
        CHECK_UINT(budget_spent(job, T0 + HOUR), JOB_ISSUED_MAX);
        for (unsigned per_week = 1; per_week <= JOB_ISSUED_MAX; per_week++) {
                test_case("%u", per_week);
                CHECK_UINT(budget_until_usec(&(Budget){ per_week, 1, 0 }, job, T0 + HOUR), T0 + (3 * JOB_ISSUED_MAX - per_week) * USEC_PER_SEC + 7 * DAY);
        }
}

TEST(clock) {
        static const uint64_t hours[] = { 1, 2, 3, 4 };
        _cleanup_(job_freep) Job *job = job_new("example.org");

        obtain(job, hours, ELEMENTSOF(hours));
        CHECK_UINT(budget_spent(job, T0 - 10 * HOUR), 4); /* put back a little */
        CHECK(budget_until_usec(&(Budget){ 4, 1, 0 }, job, T0 - 10 * HOUR) > T0);
        CHECK_UINT(budget_spent(job, T0 - 400 * DAY), 0); /* it was wrong by more than a year */
        CHECK_UINT(budget_until_usec(&(Budget){ 4, 1, 0 }, job, T0 - 400 * DAY), 0);
        CHECK_UINT(budget_spent(job, T0 + 400 * DAY), 0);
        CHECK_UINT(budget_spent(job, 5), 0); /* … or not set at all */
}

TEST(regular) {
        static const struct {
                const char *what;
                struct {
                        uint64_t began, life, received; /* in hours: before T0, how long, before T0 (0: not known) */
                } live[2];
                Budget b;
                uint64_t issued[6]; /* hours before T0, the newest first */
                size_t n;
                uint64_t at; /* hours after that one of them which is not staged; 0: never */
        } cases[] = {
                { "six days, obtained as they began", { { 80, 150, 80 }, { 80, 150, 80 } }, { 4, 2, 0 }, { 80, 80 }, 2, 50 },
                { "the shorter one counts",           { { 80, 150, 80 }, { 80, 90, 80 } },  { 4, 2, 0 }, { 80, 80 }, 2, 30 },
                { "what is left of it counts",        { { 80, 170, 30 }, { 80, 170, 30 } }, { 4, 2, 0 }, { 30, 30 }, 2, 40 },
                { "half of the next ones is there",   { { 80, 150, 80 }, { 80, 150, 80 } }, { 4, 1, 1 }, { 1, 80, 80 }, 3, 50 },
                { "one was lost",                     { { 80, 150, 80 }, { 80, 150, 80 } }, { 4, 2, 0 }, { 40, 80, 80 }, 3, 50 },
                { "a week's worth was",               { { 80, 150, 80 }, { 80, 150, 80 } }, { 4, 2, 0 }, { 40, 40, 60, 80, 80 }, 5, 0 },
                { "… and half of the next is there",  { { 80, 150, 80 }, { 80, 150, 80 } }, { 4, 1, 1 }, { 20, 40, 40, 60, 70, 80 }, 6, 0 },
                { "from another program",             { { 80, 150, 0 },  { 80, 150, 0 } },  { 4, 2, 0 }, { 40, 40, 40 }, 3, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(job_freep) Job *job = job_new("example.org");
                CertFacts facts[2] = {};

                test_case("%s", cases[i].what);
                obtain(job, cases[i].issued, cases[i].n);
                for (size_t k = 0; k < ELEMENTSOF(facts); k++) {
                        facts[k].not_before_usec = T0 - cases[i].live[k].began * HOUR;
                        facts[k].not_after_usec = facts[k].not_before_usec + cases[i].live[k].life * HOUR;
                        facts[k].received_usec = cases[i].live[k].received > 0 ? T0 - cases[i].live[k].received * HOUR : 0;
                }
                CHECK_UINT(budget_regular_usec(&cases[i].b, &(CertFactsList){ facts, ELEMENTSOF(facts) }, job),
                           cases[i].at > 0 ? T0 - cases[i].issued[cases[i].b.staged] * HOUR + cases[i].at * HOUR : UINT64_MAX);
        }
        CHECK_UINT(budget_regular_usec(&(Budget){ 4, 1, 0 }, &(CertFactsList){}, &(Job){}), UINT64_MAX); /* there is none */
}
