/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* As whom a hook runs: root for the event that takes certificates elsewhere, otherwise whom HookUser= names, or the user that was built in. */

#include "launcher/hook-unit.h"
#include "launcher/launcher.h"

/* Sets 'user' and 'as_root' by the event and 'settings'. Nobody stands in for a user that does not exist, or that must not be one of hooks: BUS_ERROR_FAILED in *error
 * says so, and the journal. */
int hook_user_find(const Launcher *l, HookUnit *hook, sd_bus_error *error);
