/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/budget.h"

#include <assert.h>

#include "base/clock.h"

#define WEEK_USEC (7 * USEC_PER_DAY)

/* What comes from the future was noted while the clock was wrong, and says nothing; a day is left for a clock that was put back. */
static bool counts(uint64_t issued_usec, uint64_t now_usec) {
        return issued_usec > usec_sub(now_usec, WEEK_USEC) && issued_usec <= usec_add(now_usec, USEC_PER_DAY);
}

size_t budget_spent(const Job *job, uint64_t now_usec) {
        size_t n = 0;

        assert(job);

        for (size_t i = 0; i < ELEMENTSOF(job->issued_usec); i++)
                n += counts(job->issued_usec[i], now_usec);
        return n;
}

uint64_t budget_until_usec(const Budget *b, const Job *job, uint64_t now_usec) {
        size_t spent = budget_spent(job, now_usec), kept, seen = 0;

        assert(b);
        assert(b->per_week <= JOB_ISSUED_MAX);

        if (b->per_week == 0 || spent <= b->staged || spent + b->needed <= b->per_week)
                return 0;
        kept = b->needed < b->per_week ? b->per_week - b->needed : 0;
        for (size_t i = 0; i < ELEMENTSOF(job->issued_usec); i++)
                if (counts(job->issued_usec[i], now_usec) && seen++ == kept)
                        return usec_add(job->issued_usec[i], WEEK_USEC);
        return 0;
}

/* Times are kept in whole seconds. */
static size_t count_since(const Job *job, size_t first, uint64_t live_usec) {
        size_t n = 0;

        for (size_t i = first; i < ELEMENTSOF(job->issued_usec); i++)
                n += job->issued_usec[i] / USEC_PER_SEC > live_usec / USEC_PER_SEC;
        return n;
}

uint64_t budget_regular_usec(const Budget *b, const CertFactsList *live, const Job *job) {
        uint64_t shortest = UINT64_MAX, live_usec = UINT64_MAX;
        size_t lost;

        assert(b);
        assert(live);
        assert(job);

        if (live->n == 0 || b->staged >= ELEMENTSOF(job->issued_usec))
                return UINT64_MAX;
        for (size_t i = 0; i < live->n; i++) {
                const CertFacts *f = &live->items[i];

                live_usec = MIN_OF(live_usec, f->received_usec);
                shortest = MIN_OF(shortest, usec_sub(f->not_after_usec, MAX_OF(f->not_before_usec, f->received_usec)));
        }
        lost = count_since(job, b->staged, live_usec);
        return lost == 0 || lost + b->needed <= b->per_week ? usec_add(job->issued_usec[b->staged], shortest / 3) : UINT64_MAX;
}
