/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the arguments of a method call may come to.
 *
 * dbus-daemon lets everybody send 32 MiB, and throws out whoever sends more: a service that repeats what it was called with, to polkit for instance, is one message
 * of any local user away from its end. It also holds each call whole for as long as polkit is asked. So calls are weighed before anything else looks at
 * them. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

typedef struct CallLimit {
        const char *interface; /* NULL: every */
        const char *member; /* NULL: every */
        size_t bytes; /* of the text and numbers */
        size_t items; /* values and containers: many small ones cost more than one large one */
} CallLimit;

/* Calls beyond their limit are answered with org.freedesktop.DBus.Error.LimitsExceeded, and no handler sees them. The first of 'limits' that fits counts; the last
 * one fits every call. The list is borrowed. */
int call_limit_add(sd_bus *bus, const CallLimit *limits);

/* > 0: it is within; 0: beyond; < 0: it cannot be read. The cost is that of the limit, not that of the call, which is at its beginning afterwards. */
int call_limit_weigh(sd_bus_message *call, size_t bytes, size_t items);
