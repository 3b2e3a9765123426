/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/retry.h"

#include <string.h>

#include "base/parse.h"

uint64_t acme_retry_after_usec(const AcmeAnswer *a, uint64_t now_usec) {
        uint64_t value;

        assert(a);

        if (!a->retry_after)
                return 0;
        if (a->retry_after[strspn(a->retry_after, "0123456789")] == '\0') {
                /* What is not even a number of 64 bits is as good as for ever. */
                if (parse_uint64(a->retry_after, &value) < 0 || value > ACME_RETRY_AFTER_MAX_USEC / USEC_PER_SEC)
                        return ACME_RETRY_AFTER_MAX_USEC;
                return value * USEC_PER_SEC;
        }
        if (clock_parse_http_date(a->retry_after, &value) < 0)
                return 0;
        if (a->date)
                (void) clock_parse_http_date(a->date, &now_usec);
        return MIN_OF(usec_sub(value, now_usec), ACME_RETRY_AFTER_MAX_USEC);
}

void acme_retry_init(AcmeRetry *retry, uint64_t now_usec, uint64_t timeout_usec) {
        assert(retry);

        *retry = (AcmeRetry){ .deadline_usec = usec_add(now_usec, timeout_usec) };
}

static uint64_t next_backoff(uint64_t backoff_usec) {
        if (backoff_usec == 0)
                return ACME_RETRY_FIRST_USEC;
        if (backoff_usec < ACME_RETRY_BASE_USEC)
                return ACME_RETRY_BASE_USEC;
        return MIN_OF(backoff_usec * 2, ACME_RETRY_MAX_USEC);
}

int acme_retry_next(AcmeRetry *retry, uint64_t now_usec, uint64_t retry_after_usec, uint64_t *ret_wait_usec) {
        uint64_t left;

        assert(retry);
        assert(ret_wait_usec);

        left = usec_sub(retry->deadline_usec, now_usec);
        if (left == 0 || retry_after_usec > left)
                return ACME_RETRY_E_OVER;

        retry->backoff_usec = next_backoff(retry->backoff_usec);
        *ret_wait_usec = MIN_OF(retry_after_usec > 0 ? retry_after_usec : retry->backoff_usec, left);
        return 0;
}
