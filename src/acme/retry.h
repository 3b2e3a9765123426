/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* When to ask again: what the CA says in Retry-After, and our own rhythm when it says nothing. Pure. */

#include "acme/answer.h"
#include "base/clock.h"

/* The first look is soon, because most CAs are done in the blink of an eye; the rhythm after it starts at 0.1 s and doubles up to 10 s. */
#define ACME_RETRY_FIRST_USEC (30 * USEC_PER_MSEC)
#define ACME_RETRY_BASE_USEC (100 * USEC_PER_MSEC)
#define ACME_RETRY_MAX_USEC (10 * USEC_PER_SEC)
/* No CA keeps us away for longer, whatever it says. */
#define ACME_RETRY_AFTER_MAX_USEC (7 * USEC_PER_DAY)

/* How long the answer asks us to wait: seconds, or a date, which is compared with the answer's own date when it has one, so that clocks that
 * disagree do no harm. 0: it does not say, or the time is over. At most ACME_RETRY_AFTER_MAX_USEC. */
uint64_t acme_retry_after_usec(const AcmeAnswer *a, uint64_t now_usec);

/* Polling for one thing, on the monotonic clock. */
typedef struct AcmeRetry {
        uint64_t deadline_usec;
        uint64_t backoff_usec;
} AcmeRetry;

enum {
        ACME_RETRY_DONE,
        ACME_RETRY_E_OVER, /* the time is over, or the CA wants to be left alone until after the deadline */
};

void acme_retry_init(AcmeRetry *retry, uint64_t now_usec, uint64_t timeout_usec);

/* How long to wait before the next look. 'retry_after_usec' is what the last answer asked for, 0 for nothing. */
int acme_retry_next(AcmeRetry *retry, uint64_t now_usec, uint64_t retry_after_usec, uint64_t *ret_wait_usec);
