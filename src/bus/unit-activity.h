/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whether a unit runs, and since when it does not. Nothing waits. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

typedef struct UnitActivity {
        bool active;                  /* also while it starts, stops or reloads */
        uint64_t inactive_since_usec; /* 0: it was not active since the machine was booted, or is */
} UnitActivity;

/* 'activity' is NULL when systemd does not say. The handler may free what the slot belongs to. */
typedef void (*UnitActivityHandler)(const UnitActivity *activity, void *userdata);

/* The caller's memory; it stays until the handler ran, or the question was dropped. */
typedef struct UnitActivityQuestion {
        UnitActivityHandler handler;
        void *userdata;
        sd_bus_slot *slot; /* NULL: nothing is asked */
} UnitActivityQuestion;

/* 'handler' and 'userdata' are set. */
int unit_activity_ask(sd_bus *bus, const char *unit, UnitActivityQuestion *q);
void unit_activity_drop(UnitActivityQuestion *q);
