/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How hooks run on this machine: what md-manager.conf(5) says about it. md-launcher goes by it, md-manager checks it at its start. Pure. */

#include "base/macro.h"

#define HOOK_TIMEOUT_MAX_USEC ((uint64_t) 60 * 60 * 1000000)

typedef struct HookSettings {
        char *user;             /* HookUser=: NULL: the one that was built in */
        uint64_t timeout_usec;  /* HookTimeoutSec=: at most HOOK_TIMEOUT_MAX_USEC */
        uint64_t memory_max;    /* HookMemoryMax=: bytes; UINT64_MAX: no limit of its own */
} HookSettings;

void hook_settings_init(HookSettings *s); /* with the defaults */
void hook_settings_done(HookSettings *s);

/* 'name' without its '='. -ENOENT: none of these; -EINVAL, -ERANGE: this makes no sense, and what was set before counts. An empty value sets the default. */
int hook_settings_set(HookSettings *s, const char *name, const char *value);
