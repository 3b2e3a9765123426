/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <string.h>

#include "lib/test.h"

TEST(copies_bytes) {
        _auto_secret_ Secret *s = secret_new("a\0b", 3), *empty = secret_new(NULL, 0);

        REQUIRE(s && empty);
        CHECK_UINT(s->size, 3);
        CHECK_MEM(s->data, "a\0b", 4);
        CHECK_UINT(empty->size, 0);
        CHECK_STR(empty->data, "");
        CHECK(!secret_free(NULL));
        CHECK(!secret_new("x", SIZE_MAX));
}

TEST(wipe) {
        char bytes[] = "key material";

        secret_wipe(bytes, 3);
        CHECK_MEM(bytes, "\0\0\0 material", sizeof(bytes));
        secret_wipe(bytes, 0);
        secret_wipe(NULL, 0);
        CHECK_MEM(bytes, "\0\0\0 material", sizeof(bytes));
}
