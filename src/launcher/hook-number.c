/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/hook-number.h"

#include "base/clock.h"

enum { RANDOM_BITS = 30 };

/* Seconds in front have units listed in the order of their starts. */
uint64_t hook_number_next(uint64_t last, uint64_t now_usec, uint64_t random) {
        uint64_t number = (now_usec / USEC_PER_SEC) << RANDOM_BITS | (random & ((UINT64_C(1) << RANDOM_BITS) - 1));

        return MAX_OF(last + 1, number);
}
