/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Hooks that somebody waits for: the unit stays loaded, because we hold a reference, until it was asked how it ended. */

#include "launcher/hook-unit.h"

/* Answers 'call' when the unit md-hook-WHAT-….service has ended: its name, systemd's word for how ("success", "exit-code", "signal", "timeout", …), and what
 * waitid() would say. BUS_ERROR_BUSY is answered when there is no place for it. */
int hook_follow(Launcher *l, sd_bus_message *call, const char *what, HookUnit *hook);
