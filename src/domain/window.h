/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A part of a lifetime: a duration or a percentage, as MDRenewWindow and MDWarnWindow take it. */

#include "base/macro.h"

typedef struct Window {
        uint64_t usec;    /* a duration, when percent is 0 */
        unsigned percent; /* 1 to 99, or 0; both 0: not set */
} Window;

enum {
        WINDOW_DONE,
        WINDOW_E_INVALID, /* *ret_why (static) says what is wrong */
};

/* "30d", "2h", "33%"; without unit, days. */
int window_parse(const char *s, Window *ret, const char **ret_why);

/* "33%", or the largest exact unit: "30d", "90s"; "" when it is not set. */
#define WINDOW_STRING_MAX 40
char *window_format(const Window *w, char buffer[static WINDOW_STRING_MAX]);
bool window_is_set(const Window *w) _pure_;
bool window_equal(const Window *a, const Window *b) _pure_;

/* When the window at the end of this lifetime begins. A duration begins when a third of the life has passed at the
 * earliest: one that is longer than a life would mean renewing without pause, until the CA's limits are used up. One that is not set
 * begins at the end. */
uint64_t window_begin_usec(const Window *w, uint64_t not_before_usec, uint64_t not_after_usec) _pure_;
