/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a hook was and did, from what systemd says of its unit. */

#include "base/json.h"
#include "mdctl/mdctl.h"

/* The next description ("a{sv}") of the message as an object: Unit, DropIns, User, Group, Command, Environment, Input, TimeoutUSec, MemoryMax, Result, ExitCode,
 * ExitStatus, Output (lines). Negative errno; 0: there is none left. */
int hook_report_read(sd_bus_message *m, JsonObject **ret);

bool hook_report_succeeded(JsonObject *report);
void hook_report_print(JsonObject *report);
