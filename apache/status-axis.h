/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The time axis that all bars of a page stand on. */

#include "base/macro.h"

typedef struct StatusAxis {
        uint64_t from_usec, until_usec, now_usec;
} StatusAxis;

/* An axis that shows nothing but now. */
void status_axis_init(StatusAxis *a, uint64_t now_usec);
/* Makes room for a lifetime, within reason: what lies further away runs out of the picture. */
void status_axis_include(StatusAxis *a, uint64_t from_usec, uint64_t until_usec);
/* A little room at both ends, after all are in. */
void status_axis_finish(StatusAxis *a);

/* Where a time is, in hundredths of a percent, from 0 to 10000. */
unsigned status_axis_place(const StatusAxis *a, uint64_t usec) _pure_;

/* The marks, as many as have room. */
enum {
        STATUS_AXIS_TICKS_MAX = 16,
        STATUS_AXIS_LABEL_MAX = 16,
};

typedef struct StatusTick {
        unsigned place;
        char label[STATUS_AXIS_LABEL_MAX]; /* "12 Nov", "Dec", "2027", "18:00" */
} StatusTick;

size_t status_axis_ticks(const StatusAxis *a, StatusTick ret[static STATUS_AXIS_TICKS_MAX]);
