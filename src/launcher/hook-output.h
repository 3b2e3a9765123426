/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a hook printed, as the journal has it. */

#include "base/macro.h"

enum {
        HOOK_OUTPUT_LINES_MAX = 1000, /* the newest */
        HOOK_OUTPUT_SIZE_MAX = 256 * 1024,
};

/* Printable lines, the oldest first; NULL: none. */
int hook_output_read(const char *unit, char ***ret);
