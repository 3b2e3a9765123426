/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Hooks: md-hook-EVENT-….service, with the command that root's configuration names for the domain. */

#include "launcher/launcher.h"

/* Reads the fields from 'call', behind the event. Answered with the unit's name once systemd has taken the job; its end is JobRemoved and the unit's own
 * properties. A negative return value means that nothing was begun, with *error set: BUS_ERROR_NOT_CONFIGURED when no snapshot names a command for the
 * domain, BUS_ERROR_INVALID for an unknown event or a field that is none. BUS_ERROR_BUSY is
 * answered while a hook of this event and domain runs, or 16 of any. */
int hook_run(Launcher *l, sd_bus_message *call, const char *domain, const char *event, sd_bus_error *error);

/* The same, but answered when it has ended (launcher/hook-follow.h). 'command': "message" for MDMessageCmd, or "notify" for MDNotifyCmd, whose unit is
 * md-hook-renewed-notify-….service. Those of "renewing" have places of their own. */
int hook_run_event(Launcher *l, sd_bus_message *call, const char *domain, const char *event, const char *command, sd_bus_error *error);

/* The words that MDMessageCmd has for the server of the domain. BUS_ERROR_NOT_CONFIGURED when there are none. */
int hook_find_command(Launcher *l, const char *domain, char ***ret, sd_bus_error *error);
