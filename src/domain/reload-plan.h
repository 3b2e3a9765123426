/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* When a server is reloaded for new certificates: facts and a time in, answer out. Pure; all times are monotonic. */

#include "base/macro.h"

typedef struct ReloadPlan {
        uint64_t interval_usec;  /* the least time between two reloads */
        uint64_t max_wait_usec;  /* the most that it waits for renewals that are running */
        bool on_calendar;        /* it is to be reloaded at set times only; what is urgent is not held up by them */

        uint64_t wanted_usec;    /* since when it is wanted */
        uint64_t started_usec;   /* the last one began; 0: there was none */
        uint64_t urgent_usec;    /* when it becomes urgent; 0: it is; UINT64_MAX: by itself it does not */
        bool busy;               /* renewals are running that it could serve, too */
        bool struck;             /* since it is wanted, a set time has come */
} ReloadPlan;

/* When it may begin: a time that is not later than now means now. UINT64_MAX: when a set time comes. */
uint64_t reload_plan_at(const ReloadPlan *p, uint64_t now_usec) _pure_;

/* After a failure, in a row the 'failures'-th. */
uint64_t reload_plan_retry_usec(unsigned failures) _pure_;
/* A reload at a set time that failed is tried again for so long; then the next set time is waited for. */
#define RELOAD_PLAN_PATIENCE_USEC ((uint64_t) 60 * 60 * 1000000)
