/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Typed asynchronous calls of the launcher (bus-activated). */

#include <systemd/sd-bus.h>

/* 'unit' is NULL on failure, and then 'error' is set. */
typedef void (*LauncherHandler)(const char *unit, const sd_bus_error *error, void *userdata);

int launcher_arm_timer(sd_bus *bus, const char *domain, uint64_t when_usec, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata);
int launcher_cancel(sd_bus *bus, const char *unit, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata);
/* 'fields' alternates keys and values, NULL-terminated. */
int launcher_run_hook(sd_bus *bus, const char *domain, const char *event, char *const *fields, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata);
