/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* When hooks are told what has one cause for several domains: at once of the first one; of those that come within the window together at its end; and as long as
 * more of them come, the next window is twice as long, up to STORM_WINDOW_MAX_USEC. A window in which nothing came ends the storm. Pure. */

#include "base/macro.h"

#define STORM_WINDOW_MAX_USEC ((uint64_t) 60 * 60 * 1000000)

enum { STORMS_MAX = 1024 }; /* causes at a time; of further ones each domain is told by itself */

typedef struct Storms Storms;

Storms *storms_new(uint64_t window_usec); /* 0: there are none. NULL: out of memory */
Storms *storms_free(Storms *s);
DEFINE_CLEANUP(Storms *, storms_free)

/* Until when one with this cause waits for others; a time that has passed, or 0: it does not. */
uint64_t storms_wait_until(const Storms *s, const char *cause, uint64_t now_usec);

/* A hook is being told of it. -ENOMEM: the next one is told by itself. */
int storms_note_told(Storms *s, const char *cause, uint64_t now_usec);
