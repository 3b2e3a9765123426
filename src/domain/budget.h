/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The budget: nothing that goes round in circles may use up what a CA grants for one set of names in a week. CAs count whatever key a
 * certificate has; so does this. Pure. */

#include "domain/facts.h"
#include "domain/job.h"

/* How many certificates were obtained for these names within the last seven days. */
size_t budget_spent(const Job *job, uint64_t now_usec) _pure_;

/* When 'needed' more may be obtained, so that there are never more than 'per_week' (0: no limit; at most JOB_ISSUED_MAX) in seven days; 0: now.
 * After a week without any a domain may have its certificates, however many keys it has. */
uint64_t budget_until_usec(unsigned per_week, size_t needed, const Job *job, uint64_t now_usec) _pure_;

/* When the live certificates, which are due by their age, may be renewed whatever the budget says, so that what lives for some days or
 * minutes is renewed as often as it needs: a third of their life after they were obtained. UINT64_MAX: never, because what was obtained
 * last did not become live, and neither would the next ones. */
uint64_t budget_regular_usec(const CertFactsList *live, const Job *job) _pure_;
