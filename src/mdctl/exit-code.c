/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/exit-code.h"

#include "bus/names.h"

static const struct {
        const char *error;
        int code;
} codes[] = {
        { BUS_ERROR_INVALID,                               MDCTL_USAGE         },
        { BUS_ERROR_NOTHING_TO_DO,                         MDCTL_NOTHING_TO_DO },
        { BUS_ERROR_NOT_ALLOWED,                           MDCTL_NOT_ALLOWED   },
        { SD_BUS_ERROR_ACCESS_DENIED,                      MDCTL_NOT_ALLOWED   },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, MDCTL_NOT_ALLOWED   },
};

int exit_code_of_error(const sd_bus_error *error) {
        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                if (sd_bus_error_has_name(error, codes[i].error))
                        return codes[i].code;
        return MDCTL_FAILED;
}
