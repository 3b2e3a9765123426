/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The program may write anywhere, because root may name any place. Once it knows which, and before it reads a byte of the store, it gives up the rest (landlock(7)). */

#include "targets/target.h"

enum {
        CONFINE_DONE,
        CONFINE_E_UNSUPPORTED, /* this kernel, or the container that we are in, has no such thing: the unit's sandbox is what there is */
};

/* From here on files can be made, changed and removed in the directories of these targets and in 'more' alone, for good. */
int confine_to(const Targets *targets, int more_fd);
