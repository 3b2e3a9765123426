/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The transient unit that a hook is: what is run, for what, and how little it may do. */

#include "domain/event.h"
#include "domain/hook-settings.h"
#include "launcher/launcher.h"

enum { HOOK_VALUE_MAX = 32 * 1024 }; /* bytes of a variable: all names of a domain with hundreds of them */

typedef struct HookUnit {
        EventKind event;
        const char *domain; /* borrowed */
        char **command;     /* all words */
        char **environment; /* MD_NAME and MD_EVENT in front */
        char *input;        /* what it reads from its standard input; NULL: nothing */
        HookSettings settings;
        const char *user;   /* borrowed */
        bool as_root;       /* then that does not count */
        bool followed;      /* stays loaded after its end, for this connection */
} HookUnit;

void hook_unit_done(HookUnit *hook);

/* How it runs on this machine, and what every hook is told: MD_NAME, MD_EVENT, MD_STORE_DIR, MD_MANAGER_VERSION. *error is set when it cannot run (launcher/hook-user.h). */
int hook_unit_begin(HookUnit *hook, const Launcher *l, sd_bus_error *error);

/* Makes 'input' of the environment as it is now: one JSON object with a line break behind it, in which MD_PROBLEM is "problem". */
int hook_unit_say(HookUnit *hook);

/* The call that has systemd start it as 'unit'. */
int hook_unit_message(Launcher *l, const char *unit, const HookUnit *hook, sd_bus_message **ret);
