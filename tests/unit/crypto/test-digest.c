/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include <string.h>

#include "base/cleanup.h"
#include "lib/test.h"

static const struct {
        const char *data, *hex;
} cases[] = {
        { "",    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
};

TEST(sha256) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *hex = NULL;

                test_case("'%s'", cases[i].data);
                CHECK_INT(digest_sha256_hex(cases[i].data, strlen(cases[i].data), &hex), 0);
                CHECK_STR(hex, cases[i].hex);
        }
}

TEST(sha256_of_nothing) {
        _auto_free_ char *hex = NULL;

        CHECK_INT(digest_sha256_hex(NULL, 0, &hex), 0);
        CHECK_STR(hex, cases[0].hex);
}
