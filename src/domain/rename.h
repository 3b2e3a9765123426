/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A domain goes by its first name, also in the store. When that is another one than before, it is still the same domain: which one it was is told by the
 * names. */

#include "base/macro.h"

/* A domain in the store that nobody names any more. Borrowed. */
typedef struct RenameCandidate {
        const char *name;
        char *const *names;
} RenameCandidate;

enum {
        RENAME_FOUND,
        RENAME_E_NONE, /* none has a name of it */
};

/* The candidate that has all of 'names', else the one that has most of them; of equals the first. */
int rename_choose(char *const *names, const RenameCandidate *candidates, size_t n, size_t *ret);
