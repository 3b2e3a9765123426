/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/hook-user.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "config.h"

static int refuse(const HookUnit *hook, const char *why, sd_bus_error *error) {
        const char *event = event_kind_to_string(hook->event);
        const LogField fields[] = { { "MD_NAME", hook->domain }, { "MD_EVENT", event } };

        log_full(LOG_ERR, 0, MESSAGE_HOOK_FAILED, fields, ELEMENTSOF(fields), "%s: The hook for '%s' cannot run: 'HookUser=%s' in md-manager.conf: %s", hook->domain, event,
                 hook->settings.user, why);
        return sd_bus_error_setf(error, BUS_ERROR_FAILED, "'HookUser=%s' in md-manager.conf: %s.", hook->settings.user, why);
}

static uid_t find_uid(const char *name) {
        const struct passwd *pw = getpwnam(name);

        return pw ? pw->pw_uid : (uid_t) -1;
}

int hook_user_find(const Launcher *l, HookUnit *hook, sd_bus_error *error) {
        const char *name = hook->settings.user;
        uid_t uid;

        hook->as_root = event_kind_runs_as_root(hook->event);
        hook->user = name ?: HOOK_USER;
        if (hook->as_root || !name)
                return 0;
        uid = find_uid(name);
        if (uid == (uid_t) -1)
                return refuse(hook, "there is no such user", error);
        if (uid == l->manager_uid || uid == find_uid(ACME_USER))
                return refuse(hook, "this user may do what hooks must not", error);
        if (uid == 0) {
                hook->as_root = true;
                log_notice("%s: The hook for '%s' runs as root, because 'HookUser=%s' in md-manager.conf says so.", hook->domain, event_kind_to_string(hook->event), name);
        }
        return 0;
}
