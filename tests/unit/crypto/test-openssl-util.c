/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/openssl-util.h"

#include <errno.h>

#include "base/cleanup.h"
#include "lib/test.h"

TEST(errors_become_one_line_and_are_gone) {
        _auto_free_ char *text = NULL;

        ERR_clear_error();
        ERR_raise_data(ERR_LIB_USER, ERR_R_PASSED_NULL_PARAMETER, "first\nand \x1b[31mred");
        ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
        text = openssl_errors();
        REQUIRE(text);
        CHECK_STR(text, "passed a null parameter (first and ?[31mred); internal error");
        CHECK_UINT(ERR_peek_error(), 0);
}

TEST(no_errors_say_so) {
        _auto_free_ char *text = NULL;

        ERR_clear_error();
        text = openssl_errors();
        CHECK_STR(text, "no reason given");
}

TEST(failure_tells_memory_from_the_rest) {
        ERR_raise(ERR_LIB_EVP, ERR_R_MALLOC_FAILURE);
        CHECK_INT(openssl_failure(), -ENOMEM);
        ERR_raise(ERR_LIB_EVP, ERR_R_INTERNAL_ERROR);
        CHECK_INT(openssl_failure(), -EIO);
        CHECK_INT(openssl_failure(), -EIO);
        CHECK_UINT(ERR_peek_error(), 0);
}
