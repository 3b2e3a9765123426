/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"

uint64_t random_number(void) {
        uint64_t number;

        if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
                number = clock_monotonic_usec() * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t) getpid();
        return number;
}
