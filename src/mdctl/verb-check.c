/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl check: has the manager look at everything again, and tells what is wrong. For monitoring: the exit code is the answer. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>

#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/agent.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

static const char *const members[] = { "Domain", "Fault", NULL };
static const Column columns[] = { { "DOMAIN" }, { "FAULT", .shrinks = true } };

/* Whoever may not have everything looked at again still gets what the manager knows. */
static int ask(Mdctl *c, sd_bus_message **ret, bool *ret_allowed) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = client_connect(c);
        if (r != MDCTL_DONE)
                return r;
        agent_open(c);
        if (client_call(c, (ClientMethod){ BUS_PATH, BUS_INTERFACE_MANAGER, "Check" }, &error, ret, NULL) >= 0) {
                *ret_allowed = true;
                return MDCTL_DONE;
        }
        if (!sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED) && !sd_bus_error_has_name(&error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
                return client_tell(&error, NULL);
        fprintf(stderr, "Not allowed to have everything looked at again; this is what md-manager knows.\n");
        *ret_allowed = false;
        return client_call_manager(c, "GetFaults", ret, NULL);
}

static int print(const Mdctl *c, JsonObject *faults) {
        _cleanup_(table_freep) Table *t = table_new(columns, ELEMENTSOF(columns));
        size_t n = json_object_array_length(faults);

        if (!t)
                return mdctl_oom();
        for (size_t i = 0; i < n; i++) {
                JsonObject *fault = json_object_array_get_idx(faults, i);

                if (table_add(t, COLOUR_BOLD, get_text(fault, "Domain")) < 0 || table_add(t, COLOUR_BAD, get_text(fault, "Fault")) < 0)
                        return mdctl_oom();
        }
        if (n > 0)
                table_print(t, !c->no_legend);
        else if (!c->no_legend)
                printf("All is well.\n");
        return MDCTL_DONE;
}

int verb_check(Mdctl *c, char *const *arguments) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_json_ JsonObject *values = NULL, *faults = NULL;
        bool allowed;
        int r;

        r = ask(c, &reply, &allowed);
        if (r != MDCTL_DONE)
                return r;
        r = bus_json_read(reply, &values);
        if (r < 0)
                return client_tell_answer(r);
        faults = bus_json_name_each(values, members);
        if (!faults)
                return client_tell_answer(-EBADMSG);

        format_begin(c);
        r = c->json == JSON_OFF ? print(c, faults) : format_json(c, faults);
        if (r != MDCTL_DONE)
                return r;
        if (json_object_array_length(faults) > 0)
                return MDCTL_FAILED;
        return allowed ? MDCTL_DONE : MDCTL_NOT_ALLOWED;
}
