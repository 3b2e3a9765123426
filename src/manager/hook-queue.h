/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Hooks that are to be run, on their way to the launcher: in order for each domain, some at a time, and never more than can be kept. What the launcher is too busy
 * for is asked for again. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/macro.h"
#include "domain/event.h"

typedef struct HookQueue HookQueue;

int hook_queue_new(sd_event *event, HookQueue **ret);
HookQueue *hook_queue_free(HookQueue *q);

/* 'fields' alternates keys and values, NULL-terminated; copied. */
int hook_queue_add(HookQueue *q, sd_bus *bus, const char *domain, EventKind event, char *const *fields);
