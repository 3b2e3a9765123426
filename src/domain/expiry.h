/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How near the end of a certificate is that nothing has renewed: steps of rising urgency. Pure. */

#include "base/macro.h"

typedef enum ExpiryStep {
        EXPIRY_FAR,      /* before the warn window */
        EXPIRY_NOTICED,  /* in it */
        EXPIRY_NEAR,     /* half of it has passed */
        EXPIRY_NEARER,   /* three quarters have */
        EXPIRY_LAST_DAY, /* or the last eighth of the window, when that is shorter */
        EXPIRY_PASSED,
        _EXPIRY_STEP_MAX,
} ExpiryStep;

/* 'warn_usec' is when the warn window begins. *ret_next_usec (may be NULL): when the next step begins, 0: there is none. */
ExpiryStep expiry_step(uint64_t warn_usec, uint64_t end_usec, uint64_t now_usec, uint64_t *ret_next_usec);
const char *expiry_step_to_string(ExpiryStep step);
