/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The answer of GetFaults() and Check() in the making. What it says comes from CAs, workers and files, of any number of domains, and it has to stay one message:
 * dbus-daemon throws out whoever sends one above its ceiling. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

enum {
        FAULT_TEXT_MAX = 1000, /* bytes */
        FAULT_LIST_MAX = 16 * 1024 * 1024, /* bytes of the message, half of what dbus-daemon lets through */
};

typedef struct FaultList {
        sd_bus_message *reply; /* borrowed; inside of its array of (ss) */
        size_t bytes;
        size_t n_left_out;
} FaultList;

/* 'domain': "" for none. What is too long is cut, and what is too much is counted. */
int fault_list_append(FaultList *l, const char *domain, const char *text);

/* When there was too much, says so. */
int fault_list_end(FaultList *l);
