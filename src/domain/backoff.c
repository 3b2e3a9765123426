/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/backoff.h"

#include "base/clock.h"
#include "base/string-util.h"

static uint64_t doubled(uint64_t base_usec, unsigned errors) {
        uint64_t delay = MIN_OF(base_usec, BACKOFF_MAX_USEC);

        for (unsigned i = 1; i < errors && delay < BACKOFF_MAX_USEC; i++)
                delay *= 2; /* at most twice the ceiling: no overflow */
        return MIN_OF(delay, BACKOFF_MAX_USEC);
}

/* A part of 'span' as large as 'random' is of its range, without overflow. */
static uint64_t part_of(uint64_t span, uint32_t random) {
        return span / UINT32_MAX * random + span % UINT32_MAX * random / UINT32_MAX;
}

uint64_t backoff_delay_usec(uint64_t base_usec, unsigned errors, uint32_t random) {
        uint64_t base, low, high;

        if (errors == 0)
                return 0;
        base = base_usec > 0 ? MIN_OF(base_usec, BACKOFF_MAX_USEC) : BACKOFF_BASE_DEFAULT_USEC;
        high = doubled(base, errors);
        if (errors == 1)
                return high;
        low = MAX_OF(high / 2, base); /* later never means sooner */
        return low + part_of(high - low, random);
}

static bool needs_administrator(const Problem *p) {
        static const char *const types[] = {
                PROBLEM_TYPE_AGREEMENT,
                PROBLEM_ACME_PREFIX "badCSR",
                PROBLEM_ACME_PREFIX "badSignatureAlgorithm",
                PROBLEM_ACME_PREFIX "externalAccountRequired",
                PROBLEM_ACME_PREFIX "invalidContact",
                PROBLEM_ACME_PREFIX "invalidProfile",
                PROBLEM_ACME_PREFIX "unsupportedContact",
                PROBLEM_ACME_PREFIX "malformed",
                PROBLEM_ACME_PREFIX "rejectedIdentifier",
                PROBLEM_ACME_PREFIX "unsupportedIdentifier",
                PROBLEM_ACME_PREFIX "userActionRequired",
                PROBLEM_ACME_PREFIX "badRevocationReason",
                PROBLEM_TYPE_CHALLENGE_MISMATCH,
                PROBLEM_TYPE_CONTACT,
                PROBLEM_TYPE_EAB,
                PROBLEM_TYPE_SETTING,
        };

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (str_equal(p->type, types[i]))
                        return true;
        return false;
}

ProblemClass problem_class(const Problem *p) {
        if (!p)
                return PROBLEM_CLASS_TRANSIENT;
        if (needs_administrator(p))
                return PROBLEM_CLASS_ADMINISTRATOR;
        if (p->retry_after_usec > 0 || p->status == 429 || str_equal(p->type, PROBLEM_ACME_PREFIX "rateLimited"))
                return PROBLEM_CLASS_TIME;
        return PROBLEM_CLASS_TRANSIENT;
}

const char *problem_class_to_string(ProblemClass c) {
        static const char *const names[_PROBLEM_CLASS_MAX] = {
                [PROBLEM_CLASS_TRANSIENT] = "",
                [PROBLEM_CLASS_TIME] = "time",
                [PROBLEM_CLASS_ADMINISTRATOR] = "administrator",
        };

        return (size_t) c < ELEMENTSOF(names) ? names[c] : NULL;
}

uint64_t backoff_next_usec(uint64_t now_usec, uint64_t base_usec, unsigned errors, const Problem *p, uint32_t random) {
        uint64_t delay, said;

        delay = problem_class(p) == PROBLEM_CLASS_ADMINISTRATOR ? BACKOFF_MAX_USEC : backoff_delay_usec(base_usec, errors, random);
        said = p ? usec_sub(p->retry_after_usec, now_usec) : 0;
        return usec_add(now_usec, MAX_OF(delay, MIN_OF(said, BACKOFF_SAID_MAX_USEC)));
}
