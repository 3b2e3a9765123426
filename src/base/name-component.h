/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One component of a path, and the names of what is not yet finished: ".NAME.XXXXXX". For file.c and dir.c. */

#include <limits.h>

#include "base/macro.h"

enum {
        NAME_COMPONENT_SIZE = NAME_MAX + 1,
        NAME_COMPONENT_ATTEMPTS = 100, /* before a random name that is free must have been met */
};

bool name_component_is_valid(const char *name) _pure_; /* not NULL, empty, "." or "..", and without '/' */

/* -ENAMETOOLONG: there is no room for the additions. */
int name_component_make_temporary(const char *name, char ret[static NAME_COMPONENT_SIZE]);
bool name_component_is_temporary(const char *name) _pure_;
