/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/retry.h"

#include <stdio.h>
#include <string.h>

#include "lib/test.h"

#define NOW (UINT64_C(1700000000) * USEC_PER_SEC) /* Tue, 14 Nov 2023 22:13:20 GMT */

static const struct {
        const char *what, *retry_after, *date;
        uint64_t expected_usec;
} cases[] = {
        { "nothing",                   NULL,                            NULL,                            0                          },
        { "seconds",                   "3",                             NULL,                            3 * USEC_PER_SEC           },
        { "at once",                   "0",                             NULL,                            0                          },
        { "a week",                    "604800",                        NULL,                            ACME_RETRY_AFTER_MAX_USEC  },
        { "longer than a week",        "604801",                        NULL,                            ACME_RETRY_AFTER_MAX_USEC  },
        { "far too large",             "99999999999999999999999999",    NULL,                            ACME_RETRY_AFTER_MAX_USEC  },
        { "negative",                  "-3",                            NULL,                            0                          },
        { "fraction",                  "1.5",                           NULL,                            0                          },
        { "words",                     "soon",                          NULL,                            0                          },
        { "date",                      "Tue, 14 Nov 2023 22:13:50 GMT", NULL,                            30 * USEC_PER_SEC          },
        { "date that is over",         "Tue, 14 Nov 2023 22:13:00 GMT", NULL,                            0                          },
        { "date far away",             "Tue, 14 Nov 2034 22:13:00 GMT", NULL,                            ACME_RETRY_AFTER_MAX_USEC  },
        { "old form of date",          "Tuesday, 14-Nov-23 22:13:50 GMT", NULL,                          30 * USEC_PER_SEC          },
        { "the CA's clock is late",    "Tue, 14 Nov 2023 20:00:05 GMT", "Tue, 14 Nov 2023 20:00:00 GMT", 5 * USEC_PER_SEC           },
        { "the CA's clock is early",   "Tue, 14 Nov 2023 23:00:05 GMT", "Tue, 14 Nov 2023 23:00:00 GMT", 5 * USEC_PER_SEC           },
        { "its own date is no date",   "Tue, 14 Nov 2023 22:13:50 GMT", "today",                         30 * USEC_PER_SEC          },
};

static void add(AcmeAnswer *a, const char *name, const char *value) {
        char line[128];

        if (!value)
                return;
        (void) snprintf(line, sizeof(line), "%s: %s", name, value);
        CHECK_INT(acme_answer_add_head(a, line, strlen(line)), 0);
}

TEST(retry_after) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_acme_answer_ AcmeAnswer a = {};

                test_case("%s", cases[i].what);
                acme_answer_init(&a, 1);
                add(&a, "Retry-After", cases[i].retry_after);
                add(&a, "Date", cases[i].date);
                CHECK_UINT(acme_retry_after_usec(&a, NOW), cases[i].expected_usec);
        }
}

TEST(rhythm) {
        static const uint64_t expected_msec[] = { 30, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000 };
        AcmeRetry retry;

        acme_retry_init(&retry, 5, USEC_PER_HOUR);
        for (size_t i = 0; i < ELEMENTSOF(expected_msec); i++) {
                uint64_t wait = 0;

                CHECK_INT(acme_retry_next(&retry, 5, 0, &wait), 0);
                CHECK_UINT(wait, expected_msec[i] * USEC_PER_MSEC);
        }
}

TEST(the_ca_decides) {
        uint64_t wait = 0;
        AcmeRetry retry;

        acme_retry_init(&retry, 0, USEC_PER_MINUTE);
        CHECK_INT(acme_retry_next(&retry, 0, 7 * USEC_PER_SEC, &wait), 0);
        CHECK_UINT(wait, 7 * USEC_PER_SEC);
        CHECK_INT(acme_retry_next(&retry, 7 * USEC_PER_SEC, 0, &wait), 0);
        CHECK_UINT(wait, 100 * USEC_PER_MSEC);
}

TEST(deadline) {
        uint64_t wait = 0;
        AcmeRetry retry;

        acme_retry_init(&retry, 0, USEC_PER_SEC);
        CHECK_INT(acme_retry_next(&retry, USEC_PER_SEC - 7, 0, &wait), 0);
        CHECK_UINT(wait, 7);
        CHECK_INT(acme_retry_next(&retry, USEC_PER_SEC, 0, &wait), ACME_RETRY_E_OVER);
        CHECK_INT(acme_retry_next(&retry, 0, 2 * USEC_PER_SEC, &wait), ACME_RETRY_E_OVER);
        CHECK_UINT(wait, 7);
}

TEST(deadline_at_the_end_of_time) {
        uint64_t wait = 0;
        AcmeRetry retry;

        acme_retry_init(&retry, 5, USEC_INFINITY);
        CHECK_UINT(retry.deadline_usec, USEC_INFINITY);
        CHECK_INT(acme_retry_next(&retry, 5, 0, &wait), 0);
}
