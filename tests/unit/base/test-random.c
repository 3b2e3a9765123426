/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include "lib/test.h"

TEST(numbers_differ) {
        uint64_t bits = 0;

        CHECK(random_number() != random_number());
        for (unsigned i = 0; i < 64; i++)
                bits |= random_number();
        CHECK(bits > UINT32_MAX);
}
