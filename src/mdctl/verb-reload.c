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

static int request(Mdctl *c, const char *unit, bool tell_unknown) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (client_call(c, (ClientMethod){ BUS_PATH, BUS_INTERFACE_MANAGER, "Reload" }, &error, NULL, "s", unit) >= 0)
                return MDCTL_DONE;
        if (sd_bus_error_has_name(&error, BUS_ERROR_INVALID) && !tell_unknown)
                return NO_SERVER;
        return client_tell(&error, unit);
}

/* Those that the manager has reloaded before, and the usual ones. */
static int guess_units(Mdctl *c, char ***ret) {
        static const char *const usual[] = { HTTPD_UNITS };
        _auto_json_ JsonObject *manager = NULL;
        _auto_strv_ char **units = NULL;
        JsonObject *reloads;
        int r;

        r = client_get_all(c, BUS_PATH, BUS_INTERFACE_MANAGER, &manager);
        if (r != MDCTL_DONE)
                return r;
        reloads = json_get_array(manager, "Reloads");
        for (size_t i = 0; reloads && i < json_object_array_length(reloads); i++) {
                const char *unit = json_object_get_string(json_object_array_get_idx(json_object_array_get_idx(reloads, i), 0));

                if (unit && !strv_contains(units, unit) && strv_extend(&units, unit) < 0)
                        return mdctl_oom();
        }
        for (size_t i = 0; i < ELEMENTSOF(usual); i++)
                if (!strchr(usual[i], '*') && !strv_contains(units, usual[i]) && strv_extend(&units, usual[i]) < 0)
                        return mdctl_oom();
        *ret = take_ptr(units);
        return MDCTL_DONE;
}

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

static int reload_all(Mdctl *c, char *const *units) {
        _auto_strv_ char **done = NULL;

        STRV_FOREACH(unit, units) {
                int r = request(c, *unit, false);

                if (r > 0)
                        return r;
                if (r == MDCTL_DONE && strv_extend(&done, *unit) < 0)
                        return mdctl_oom();
        }
        if (done)
                return report(c, done);
        fprintf(stderr, "No server with managed domains was found. If it runs in a unit with another name, write: mdctl reload UNIT\n");
        return MDCTL_NOTHING_TO_DO;
}

int verb_reload(Mdctl *c, char *const *arguments) {
        _auto_strv_ char **units = NULL;
        int r;

        r = client_connect(c);
        if (r != MDCTL_DONE)
                return r;
        if (!arguments[0])
                r = guess_units(c, &units);
        if (r != MDCTL_DONE)
                return r;
        agent_open(c);
        if (!arguments[0])
                return reload_all(c, units);
        r = request(c, arguments[0], true);
        return r == MDCTL_DONE ? report(c, arguments) : r;
}
