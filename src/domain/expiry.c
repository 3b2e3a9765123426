/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/expiry.h"

#include "base/clock.h"

static const char *const table[_EXPIRY_STEP_MAX] = {
        [EXPIRY_FAR] = "far",       [EXPIRY_NOTICED] = "noticed",   [EXPIRY_NEAR] = "near",
        [EXPIRY_NEARER] = "nearer", [EXPIRY_LAST_DAY] = "last-day", [EXPIRY_PASSED] = "passed",
};

const char *expiry_step_to_string(ExpiryStep step) {
        return (size_t) step < ELEMENTSOF(table) ? table[step] : NULL;
}

ExpiryStep expiry_step(uint64_t warn_usec, uint64_t end_usec, uint64_t now_usec, uint64_t *ret_next_usec) {
        uint64_t window = usec_sub(end_usec, warn_usec), last = MIN_OF((uint64_t) USEC_PER_DAY, window / 8);
        const uint64_t begins[_EXPIRY_STEP_MAX] = {
                [EXPIRY_NOTICED] = warn_usec,
                [EXPIRY_NEAR] = MIN_OF(warn_usec + window / 2, end_usec - last),
                [EXPIRY_NEARER] = MIN_OF(warn_usec + window / 4 * 3, end_usec - last),
                [EXPIRY_LAST_DAY] = end_usec - last,
                [EXPIRY_PASSED] = end_usec,
        };
        ExpiryStep step = EXPIRY_PASSED;

        while (step > EXPIRY_FAR && now_usec < begins[step])
                step--;
        if (ret_next_usec)
                *ret_next_usec = step == EXPIRY_PASSED ? 0 : begins[step + 1];
        return step;
}
