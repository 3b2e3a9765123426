/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/reload-plan.h"

#include "base/clock.h"

#define URGENT_INTERVAL_USEC USEC_PER_SEC
#define URGENT_WAIT_USEC (2 * USEC_PER_SEC)
#define RETRY_BASE_USEC (10 * USEC_PER_SEC)
#define RETRY_MAX_USEC USEC_PER_HOUR

uint64_t reload_plan_at(const ReloadPlan *p, uint64_t now_usec) {
        uint64_t interval, wait, at;
        bool urgent;

        assert(p);

        urgent = p->urgent_usec <= now_usec;
        if (p->on_calendar && !p->struck && !urgent)
                return p->urgent_usec;

        interval = MIN_OF(p->interval_usec, urgent ? URGENT_INTERVAL_USEC : USEC_INFINITY);
        wait = MIN_OF(p->max_wait_usec, urgent ? URGENT_WAIT_USEC : USEC_INFINITY);
        at = p->started_usec == 0 ? 0 : usec_add(p->started_usec, interval);
        return p->busy ? MAX_OF(at, usec_add(p->wanted_usec, wait)) : at;
}

uint64_t reload_plan_retry_usec(unsigned failures) {
        return failures == 0 ? 0 : MIN_OF(RETRY_BASE_USEC << MIN_OF(failures - 1, 16U), RETRY_MAX_USEC);
}
