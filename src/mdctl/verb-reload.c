/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl reload: now, not when it would happen by itself. */

#include "mdctl/mdctl.h"

#include <stdio.h>
#include <string.h>

#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "config.h"
#include "mdctl/agent.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

/* 0: it was accepted; -1: the manager knows no server in this unit; else an exit code. */
enum { NO_SERVER = -1 };

static int report(const Mdctl *c, char *const *units) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (c->json == JSON_OFF) {
                STRV_FOREACH(unit, units)
                        printf("%s will be reloaded.\n", *unit);
                return MDCTL_DONE;
        }
        if (!o || json_add_strv(o, "Units", units) < 0)
                return mdctl_oom();
        return format_json(c, o);
}

int verb_reload(Mdctl *c, char *const *arguments) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _auto_strv_ char **units = NULL;
        const char *unit = str_or(arguments[0], "");
        int r;

        r = client_connect(c);
        if (r != MDCTL_DONE)
                return r;
        agent_open(c);
        if (client_call(c, (ClientMethod){ BUS_PATH, BUS_INTERFACE_MANAGER, "Reload" }, &error, &reply, "s", unit) < 0)
                return client_tell(&error, *unit ? unit : "Reload");
        if (sd_bus_message_read_strv(reply, &units) < 0)
                return client_tell(&error, "Reload");
        return report(c, units);
}
