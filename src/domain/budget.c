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

uint64_t budget_until_usec(unsigned per_week, size_t needed, const Job *job, uint64_t now_usec) {
        size_t spent = budget_spent(job, now_usec), kept = needed < per_week ? per_week - needed : 0, seen = 0;

        assert(per_week <= JOB_ISSUED_MAX);

        if (per_week == 0 || spent == 0 || spent + needed <= per_week)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(job->issued_usec); i++)
                if (counts(job->issued_usec[i], now_usec) && seen++ == kept)
                        return usec_add(job->issued_usec[i], WEEK_USEC);
        return 0;
}

uint64_t budget_regular_usec(const CertFactsList *live, const Job *job) {
        uint64_t shortest = UINT64_MAX;

        assert(live);
        assert(job);

        for (size_t i = 0; i < live->n; i++) {
                const CertFacts *f = &live->items[i];

                if (f->received_usec / USEC_PER_SEC < job->issued_usec[0] / USEC_PER_SEC) /* times are kept in whole seconds */
                        return UINT64_MAX;
                shortest = MIN_OF(shortest, usec_sub(f->not_after_usec, MAX_OF(f->not_before_usec, f->received_usec)));
        }
        return live->n > 0 ? usec_add(job->issued_usec[0], shortest / 3) : UINT64_MAX;
}
