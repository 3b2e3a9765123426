/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl hook: what hooks are still to be told, and trying one out. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "mdctl/agent.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/hook-report.h"

/* Two hooks at most, of which a drop-in may give each as long as it likes. */
#define TEST_TIMEOUT_USEC (2 * USEC_PER_HOUR)

/* --- list --- */

static const char *const members[] = { "Domain", "Event", "Failures", "Running", "NextUSec", NULL };
static const Column columns[] = { { "DOMAIN" }, { "EVENT" }, { "FAILURES" }, { "NEXT" } };

static int add_row(Table *t, JsonObject *o) {
        _auto_free_ char *failures = str_printf("%u", (unsigned) get_number(o, "Failures"));
        char when[FORMAT_TIME_MAX];
        const char *next = get_number(o, "NextUSec") > 0 ? format_time(when, get_number(o, "NextUSec")) : "soon";

        if (!failures || table_add(t, COLOUR_BOLD, get_text(o, "Domain")) < 0 || table_add(t, COLOUR_NONE, get_text(o, "Event")) < 0 ||
            table_add(t, get_number(o, "Failures") > 0 ? COLOUR_BAD : COLOUR_NONE, failures) < 0)
                return -ENOMEM;
        return table_add(t, COLOUR_NONE, json_get_bool(o, "Running", false) ? "is running" : next);
}

static int print_list(const Mdctl *c, JsonObject *list) {
        _cleanup_(table_freep) Table *t = table_new(columns, ELEMENTSOF(columns));

        if (!t)
                return mdctl_oom();
        for (size_t i = 0; i < json_object_array_length(list); i++)
                if (add_row(t, json_object_array_get_idx(list, i)) < 0)
                        return mdctl_oom();
        if (table_rows(t) > 0)
                table_print(t, !c->no_legend);
        else if (!c->no_legend)
                printf("No hook is to be told anything.\n");
        return MDCTL_DONE;
}

static int command_list(Mdctl *c, char *const *arguments) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_json_ JsonObject *values = NULL, *list = NULL;
        int r;

        r = client_call_manager(c, "GetPendingHooks", &reply, NULL);
        if (r != MDCTL_DONE)
                return r;
        r = bus_json_read(reply, &values);
        if (r < 0)
                return client_tell_answer(r);
        list = bus_json_name_each(values, members);
        if (!list)
                return client_tell_answer(-EBADMSG);
        format_begin(c);
        return c->json == JSON_OFF ? print_list(c, list) : format_json(c, list);
}

/* --- test --- */

static int run_test(Mdctl *c, const char *path, const char *event, sd_bus_message **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, path, BUS_INTERFACE_DOMAIN, "TestHook");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", event);
        if (r < 0)
                return client_tell_answer(r);
        agent_open(c);
        r = client_send_patiently(c, m, TEST_TIMEOUT_USEC, &error, ret);
        agent_close();
        return r < 0 ? client_tell(&error, NULL) : MDCTL_DONE;
}

/* All that were run. Negative errno. */
static int read_reports(sd_bus_message *reply, JsonObject *list) {
        JsonObject *report;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "a{sv}");
        while (r >= 0 && (r = hook_report_read(reply, &report)) > 0) {
                if (json_object_array_add(list, report) < 0)
                        r = -ENOMEM;
        }
        return r;
}

static int show_reports(const Mdctl *c, JsonObject *list) {
        bool failed = false;

        format_begin(c);
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                JsonObject *report = json_object_array_get_idx(list, i);

                failed = failed || !hook_report_succeeded(report);
                if (c->json == JSON_OFF && i > 0)
                        putchar('\n');
                if (c->json == JSON_OFF)
                        hook_report_print(report);
        }
        if (c->json != JSON_OFF && format_json(c, list) != MDCTL_DONE)
                return MDCTL_FAILED;
        return failed ? MDCTL_FAILED : MDCTL_DONE;
}

static int command_test(Mdctl *c, char *const *arguments) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_json_ JsonObject *domain = NULL, *list = json_object_new_array();
        _auto_free_ char *path = NULL;
        int r;

        if (!list)
                return mdctl_oom();
        r = client_get_domain(c, arguments[0], &path, &domain);
        if (r == MDCTL_DONE)
                r = run_test(c, path, arguments[1], &reply);
        if (r != MDCTL_DONE)
                return r;
        r = read_reports(reply, list);
        return r < 0 ? client_tell_answer(r) : show_reports(c, list);
}

int verb_hook(Mdctl *c, char *const *arguments) {
        static const struct {
                const char *name, *arguments;
                size_t n;
                int (*run)(Mdctl *c, char *const *arguments);
        } commands[] = {
                { "list", "", 0, command_list },
                { "test", " NAME EVENT", 2, command_test },
        };

        for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
                if (!str_equal(commands[i].name, arguments[0]))
                        continue;
                if (strv_length(arguments + 1) == commands[i].n)
                        return commands[i].run(c, arguments + 1);
                fprintf(stderr, "Write: mdctl hook %s%s\n", commands[i].name, commands[i].arguments);
                return MDCTL_USAGE;
        }
        fprintf(stderr, "There is no command 'hook %s'; there are list and test.\n", arguments[0]);
        return MDCTL_USAGE;
}
