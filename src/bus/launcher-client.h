/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Typed asynchronous calls of the launcher (bus-activated). */

#include <systemd/sd-bus.h>

/* 'unit' is NULL on failure, and then 'error' is set. */
typedef void (*LauncherHandler)(const char *unit, const sd_bus_error *error, void *userdata);

int launcher_arm_timer(sd_bus *bus, const char *domain, uint64_t when_usec, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata);
int launcher_arm_ocsp(sd_bus *bus, uint64_t when_usec, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata);
int launcher_arm_reload(sd_bus *bus, const char *calendar, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata);
int launcher_cancel(sd_bus *bus, const char *unit, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata);

/* How the unit of a hook ended. */
typedef struct LauncherHookEnd {
        const char *unit;
        const char *result; /* systemd's word: "success", "exit-code", "signal", "timeout", … */
        int code, status;   /* as waitid() has them */
} LauncherHookEnd;

/* 'end' is NULL on failure, and then 'error' is set. */
typedef void (*LauncherHookHandler)(const LauncherHookEnd *end, const sd_bus_error *error, void *userdata);

/* For people who try a hook out: 'method' is TestEvent, TestChallengeHook or TestChallengeEvent, with its words and, when 'fields' is not NULL, these. 'handler' gets
 * the launcher's answer. */
int launcher_test_hook(sd_bus *bus, const char *method, char *const *words, char *const *fields, sd_bus_slot **ret_slot, sd_bus_message_handler_t handler, void *userdata);

/* All of them are answered when the hook has ended, which may take LAUNCHER_HOOK_TIMEOUT_USEC. */
#define LAUNCHER_HOOK_TIMEOUT_USEC ((uint64_t) 65 * 60 * 1000000) /* more than HookTimeoutSec= may be, and what it takes to end one that is stubborn */
/* 'command': "message" or "notify". 'fields' alternates keys and values, NULL-terminated. */
int launcher_run_event(sd_bus *bus, const char *domain, const char *event, const char *command, char *const *fields, sd_bus_slot **ret_slot, LauncherHookHandler handler, void *userdata);
int launcher_run_challenge_hook(sd_bus *bus, const char *domain, const char *verb, const char *name, const char *value, sd_bus_slot **ret_slot, LauncherHookHandler handler, void *userdata);
int launcher_run_challenge_event(sd_bus *bus, const char *domain, const char *type, const char *name, sd_bus_slot **ret_slot, LauncherHookHandler handler, void *userdata);
