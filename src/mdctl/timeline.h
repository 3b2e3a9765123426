/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A time line for people: a row for each domain, from now to the last expiry. */

#include "base/macro.h"

typedef struct TimelineRow {
        const char *name;
        uint64_t renew_usec;  /* 0: nothing is due */
        uint64_t expire_usec; /* 0: there is no certificate */
        bool renewing;        /* now */
} TimelineRow;

/* Rows in the order in which they are to be shown; 'width' columns, of which the names get at most a third. */
void timeline_draw(const TimelineRow *rows, size_t n, uint64_t now_usec, size_t width, bool legend);
