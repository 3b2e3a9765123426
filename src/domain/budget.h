/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The budget: nothing that goes round in circles may use up what a CA grants for one set of names in a week. CAs count whatever key a
 * certificate has; so does this. Pure. */

#include "domain/facts.h"
#include "domain/job.h"

typedef struct Budget {
        unsigned per_week; /* 0: no limit; at most JOB_ISSUED_MAX */
        size_t needed; /* certificates: one for each key that has none in staging */
        size_t staged; /* those that have: they were obtained last */
} Budget;

/* How many certificates were obtained for these names within the last seven days. */
size_t budget_spent(const Job *job, uint64_t now_usec) _pure_;

/* When those needed may be obtained, so that there are never more than 'per_week' in seven days; 0: now. After a week without any a domain may have its
 * certificates, however many keys it has, and however many attempts that takes. */
uint64_t budget_until_usec(const Budget *b, const Job *job, uint64_t now_usec) _pure_;

/* When the live certificates may be renewed whatever the budget says, if they are due by their age, so that what lives for some days or minutes is renewed
 * as often as it needs: a third of their life after the last ones were obtained. UINT64_MAX: never, because a week's worth was obtained since, and did not
 * become live: neither would the next ones. */
uint64_t budget_regular_usec(const Budget *b, const CertFactsList *live, const Job *job) _pure_;
