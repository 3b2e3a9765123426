/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/backoff.h"

#include <limits.h>

#include "base/clock.h"
#include "lib/test.h"

#define SEC USEC_PER_SEC
#define NOW ((uint64_t) 1700000000 * SEC)

TEST(delay) {
        static const struct {
                const char *what;
                uint64_t base;
                unsigned errors;
                uint64_t least, most;
        } cases[] = {
                { "no failure", 30 * SEC, 0, 0, 0 },
                { "first failure", 30 * SEC, 1, 30 * SEC, 30 * SEC },
                { "second failure", 30 * SEC, 2, 30 * SEC, 60 * SEC },
                { "third failure", 30 * SEC, 3, 60 * SEC, 120 * SEC },
                { "tenth failure", 30 * SEC, 10, 7680 * SEC, 15360 * SEC },
                { "the ceiling", 30 * SEC, 13, 12 * USEC_PER_HOUR, 24 * USEC_PER_HOUR },
                { "far beyond the ceiling", 30 * SEC, 100000, 12 * USEC_PER_HOUR, 24 * USEC_PER_HOUR },
                { "as many failures as there can be", 30 * SEC, UINT_MAX, 12 * USEC_PER_HOUR, 24 * USEC_PER_HOUR },
                { "a base of a microsecond", 1, UINT_MAX, 12 * USEC_PER_HOUR, 24 * USEC_PER_HOUR },
                { "a long base", 20 * USEC_PER_HOUR, 2, 20 * USEC_PER_HOUR, 24 * USEC_PER_HOUR },
                { "a base of a day", USEC_PER_DAY, 5, USEC_PER_DAY, USEC_PER_DAY },
                { "a base beyond the ceiling", 40 * USEC_PER_DAY, 1, USEC_PER_DAY, USEC_PER_DAY },
                { "a base without end", UINT64_MAX, UINT_MAX, USEC_PER_DAY, USEC_PER_DAY },
                { "no base", 0, 1, 30 * SEC, 30 * SEC },
                { "no base, later", 0, 2, 30 * SEC, 60 * SEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].what);
                CHECK_UINT(backoff_delay_usec(cases[i].base, cases[i].errors, 0), cases[i].least);
                CHECK_UINT(backoff_delay_usec(cases[i].base, cases[i].errors, UINT32_MAX), cases[i].most);
                CHECK(backoff_delay_usec(cases[i].base, cases[i].errors, UINT32_MAX / 2) >= cases[i].least);
                CHECK(backoff_delay_usec(cases[i].base, cases[i].errors, UINT32_MAX / 2) <= cases[i].most);
        }
}

/* Whatever is drawn, the next wait is not shorter than the shortest of the one before, and none is out of bounds. */
TEST(thousands_of_failures) {
        static const uint32_t draws[] = { 0, 1, 12345, UINT32_MAX / 3, UINT32_MAX - 1, UINT32_MAX };
        uint64_t least = 0;

        for (unsigned errors = 1; errors <= 10000; errors++) {
                uint64_t floor = backoff_delay_usec(30 * SEC, errors, 0);

                if (!CHECK(floor >= least))
                        break;
                least = floor;
                for (size_t i = 0; i < ELEMENTSOF(draws); i++) {
                        uint64_t delay = backoff_delay_usec(30 * SEC, errors, draws[i]);

                        if (!CHECK(delay >= 30 * SEC && delay <= BACKOFF_MAX_USEC && delay >= floor))
                                return;
                }
        }
        CHECK_UINT(backoff_delay_usec(30 * SEC, 2, UINT32_MAX / 2), 45 * SEC - 1);
}

TEST(classes) {
        static const struct {
                const char *type;
                ProblemClass class;
                unsigned status;
                uint64_t retry_after;
        } cases[] = {
                { PROBLEM_ACME_PREFIX "agreementRequired", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "badCSR", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "badSignatureAlgorithm", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "externalAccountRequired", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "invalidContact", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "invalidProfile", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "unsupportedContact", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "malformed", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "rejectedIdentifier", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "unsupportedIdentifier", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "userActionRequired", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "badRevocationReason", PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "malformed", PROBLEM_CLASS_ADMINISTRATOR, 429, NOW },
                { PROBLEM_TYPE_AGREEMENT, PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_TYPE_CHALLENGE_MISMATCH, PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_TYPE_CONTACT, PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_TYPE_EAB, PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_TYPE_SETTING, PROBLEM_CLASS_ADMINISTRATOR },
                { PROBLEM_ACME_PREFIX "rateLimited", PROBLEM_CLASS_TIME },
                { PROBLEM_TYPE_HTTP, PROBLEM_CLASS_TIME, 429 },
                { PROBLEM_TYPE_HTTP, PROBLEM_CLASS_TIME, 503, NOW },
                { PROBLEM_TYPE_HTTP, PROBLEM_CLASS_TRANSIENT, 503 },
                { PROBLEM_ACME_PREFIX "serverInternal", PROBLEM_CLASS_TRANSIENT },
                { PROBLEM_ACME_PREFIX "unauthorized", PROBLEM_CLASS_TRANSIENT },
                { PROBLEM_ACME_PREFIX "caa", PROBLEM_CLASS_TRANSIENT },
                { PROBLEM_ACME_PREFIX "dns", PROBLEM_CLASS_TRANSIENT },
                { PROBLEM_ACME_PREFIX "connection", PROBLEM_CLASS_TRANSIENT },
                { PROBLEM_ACME_PREFIX "tls", PROBLEM_CLASS_TRANSIENT },
                { PROBLEM_ACME_PREFIX "incorrectResponse", PROBLEM_CLASS_TRANSIENT },
                { PROBLEM_ACME_PREFIX "badNonce", PROBLEM_CLASS_TRANSIENT },
                { PROBLEM_TYPE_CONNECTION, PROBLEM_CLASS_TRANSIENT },
                { PROBLEM_TYPE_WORKER, PROBLEM_CLASS_TRANSIENT },
                { "malformed", PROBLEM_CLASS_TRANSIENT },
                { "", PROBLEM_CLASS_TRANSIENT },
        };

        CHECK_INT(problem_class(NULL), PROBLEM_CLASS_TRANSIENT);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_problem_ Problem *p = problem_new(cases[i].type, "test");

                test_case("%s %u", cases[i].type, cases[i].status);
                REQUIRE(p);
                p->status = cases[i].status;
                p->retry_after_usec = cases[i].retry_after;
                CHECK_INT(problem_class(p), cases[i].class);
        }
        CHECK_STR(problem_class_to_string(PROBLEM_CLASS_TRANSIENT), "");
        CHECK_STR(problem_class_to_string(PROBLEM_CLASS_TIME), "time");
        CHECK_STR(problem_class_to_string(PROBLEM_CLASS_ADMINISTRATOR), "administrator");
        CHECK(!problem_class_to_string(_PROBLEM_CLASS_MAX));
}

TEST(next) {
        static const struct {
                const char *what;
                const char *type; /* NULL: no problem */
                uint64_t retry_after;
                unsigned errors;
                uint64_t expected;
        } cases[] = {
                { "without a problem", NULL, 0, 1, NOW + 30 * SEC },
                { "ordinary problem", PROBLEM_TYPE_CONNECTION, 0, 1, NOW + 30 * SEC },
                { "the CA wants more time", PROBLEM_ACME_PREFIX "rateLimited", NOW + USEC_PER_HOUR, 1, NOW + USEC_PER_HOUR },
                { "the CA wants less time", PROBLEM_ACME_PREFIX "rateLimited", NOW + SEC, 1, NOW + 30 * SEC },
                { "the CA names the past", PROBLEM_ACME_PREFIX "rateLimited", NOW - SEC, 1, NOW + 30 * SEC },
                { "the CA wants a year", PROBLEM_ACME_PREFIX "rateLimited", NOW + 365 * USEC_PER_DAY, 1, NOW + 7 * USEC_PER_DAY },
                { "the CA wants for ever", PROBLEM_ACME_PREFIX "rateLimited", UINT64_MAX, 1, NOW + 7 * USEC_PER_DAY },
                { "the administrator's fault", PROBLEM_ACME_PREFIX "malformed", 0, 1, NOW + USEC_PER_DAY },
                { "the administrator's fault, and the CA says sooner", PROBLEM_ACME_PREFIX "malformed", NOW + SEC, 1,
                  NOW + USEC_PER_DAY },
                { "the administrator's fault, and the CA says later", PROBLEM_ACME_PREFIX "malformed", NOW + 2 * USEC_PER_DAY, 1,
                  NOW + 2 * USEC_PER_DAY },
                { "no failure", NULL, 0, 0, NOW },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_problem_ Problem *p = cases[i].type ? problem_new(cases[i].type, "test") : NULL;

                test_case("%s", cases[i].what);
                if (p)
                        p->retry_after_usec = cases[i].retry_after;
                CHECK_UINT(backoff_next_usec(NOW, 30 * SEC, cases[i].errors, p, 0), cases[i].expected);
        }
        CHECK_UINT(backoff_next_usec(UINT64_MAX - 1, 30 * SEC, 1, NULL, 0), UINT64_MAX);
}
