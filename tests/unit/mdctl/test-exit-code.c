/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/exit-code.h"

#include "bus/names.h"
#include "lib/test.h"

/* As mdctl(1) has it. */
static const struct {
        const char *error;
        int code;
} errors[] = {
        { BUS_ERROR_INVALID,                               2 },
        { BUS_ERROR_NOTHING_TO_DO,                         3 },
        { BUS_ERROR_NOT_ALLOWED,                           4 },
        { SD_BUS_ERROR_ACCESS_DENIED,                      4 },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, 4 },
        { BUS_ERROR_NO_SUCH_DOMAIN,                        1 },
        { BUS_ERROR_NO_SUCH_ACCOUNT,                       1 },
        { BUS_ERROR_NO_SUCH_JOB,                           1 },
        { BUS_ERROR_NOT_NOW,                               1 },
        { BUS_ERROR_BUSY,                                  1 },
        { BUS_ERROR_NOT_CONFIGURED,                        1 },
        { BUS_ERROR_REFUSED,                               1 },
        { BUS_ERROR_FAILED,                                1 },
        { SD_BUS_ERROR_INVALID_ARGS,                       1 }, /* not somebody's words: mdctl and md-manager are of two versions */
        { SD_BUS_ERROR_UNKNOWN_METHOD,                     1 },
        { SD_BUS_ERROR_SERVICE_UNKNOWN,                    1 },
        { SD_BUS_ERROR_NO_REPLY,                           1 },
};

TEST(errors) {
        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                test_case("%s", errors[i].error);
                CHECK_INT(exit_code_of_error(&SD_BUS_ERROR_MAKE_CONST(errors[i].error, "told")), errors[i].code);
        }
        CHECK_INT(exit_code_of_error(&SD_BUS_ERROR_NULL), 1);
}
