/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/hook-report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "mdctl/bus-json.h"
#include "mdctl/format.h"

enum {
        INDENT = 12,
        INPUT_MAX = 256 * 1024,
};

/* --- Reading --- */

/* The words of the first command. */
static int read_command(sd_bus_message *m, JsonObject *o) {
        _auto_json_ JsonObject *words = NULL;
        int r;

        r = sd_bus_message_enter_container(m, 'v', "a(sasbttttuii)");
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "(sasbttttuii)");
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'r', "sasbttttuii");
        if (r >= 0)
                r = sd_bus_message_skip(m, "s");
        if (r >= 0)
                r = bus_json_read(m, &words);
        if (r >= 0)
                r = sd_bus_message_skip(m, "bttttuii");
        for (int i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : json_add_object(o, "Command", take_ptr(words));
}

static int read_input(sd_bus_message *m, JsonObject *o) {
        _auto_free_ char *text = NULL;
        const void *data;
        size_t size;
        int r;

        r = sd_bus_message_enter_container(m, 'v', "ay");
        if (r >= 0)
                r = sd_bus_message_read_array(m, 'y', &data, &size);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        text = str_printable(data ? data : "", size, INPUT_MAX);
        return text ? json_add_string(o, "Input", text) : -ENOMEM;
}

static int read_value(sd_bus_message *m, JsonObject *o, const char *name) {
        static const char *const known[][2] = {
                { "Id", "Unit" }, { "DropInPaths", "DropIns" }, { "User", "User" }, { "Group", "Group" }, { "Environment", "Environment" },
                { "TimeoutStartUSec", "TimeoutUSec" }, { "MemoryMax", "MemoryMax" }, { "Result", "Result" }, { "ExecMainCode", "ExitCode" }, { "ExecMainStatus", "ExitStatus" }, { "Output", "Output" },
        };
        JsonObject *value;
        int r;

        if (str_equal(name, "ExecStart"))
                return read_command(m, o);
        if (str_equal(name, "StandardInputData"))
                return read_input(m, o);
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (str_equal(known[i][0], name)) {
                        r = bus_json_read(m, &value);
                        return r < 0 ? r : json_add_object(o, known[i][1], value);
                }
        return sd_bus_message_skip(m, "v");
}

static int read_property(sd_bus_message *m, JsonObject *o) {
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
                r = read_value(m, o, name);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int hook_report_read(sd_bus_message *m, JsonObject **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();
        int r;

        if (!o)
                return -ENOMEM;
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r <= 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_property(m, o);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = take_ptr(o);
        return 1;
}

/* --- Showing --- */

bool hook_report_succeeded(JsonObject *report) {
        return str_equal(get_text(report, "Result"), "success");
}

static void print_field(const char *name, const char *value) {
        if (!str_is_empty(value))
                printf("%*s: %s\n", INDENT, name, value);
}

static void print_lines(const char *name, JsonObject *list, const char *none) {
        size_t n = list ? json_object_array_length(list) : 0;

        for (size_t i = 0; i < n; i++)
                printf("%*s%s %s\n", INDENT, i == 0 ? name : "", i == 0 ? ":" : " ", str_or(json_object_get_string(json_object_array_get_idx(list, i)), ""));
        if (n == 0 && none)
                print_field(name, none);
}

static void print_command(JsonObject *words) {
        printf("%*s:", INDENT, "Command");
        for (size_t i = 0; words && i < json_object_array_length(words); i++) {
                const char *word = str_or(json_object_get_string(json_object_array_get_idx(words, i)), "");
                bool quote = !*word || strpbrk(word, " \t'\"$");

                printf(" %s%s%s", quote ? "'" : "", word, quote ? "'" : "");
        }
        putchar('\n');
}

static void print_end(JsonObject *o) {
        Colour colour = hook_report_succeeded(o) ? COLOUR_GOOD : COLOUR_BAD;
        bool exited = get_number(o, "ExitCode") == CLD_EXITED;

        printf("%*s: %s%s%s (%s %u)\n", INDENT, "Result", colour_on(colour), get_text(o, "Result"), colour_off(colour), exited ? "exit status" : "signal",
               (unsigned) get_number(o, "ExitStatus"));
}

void hook_report_print(JsonObject *o) {
        char timespan[CLOCK_HUMAN_MAX];

        printf("%s%s%s\n", colour_on(COLOUR_BOLD), get_text(o, "Unit"), colour_off(COLOUR_BOLD));
        print_lines("Drop-Ins", json_get_array(o, "DropIns"), NULL);
        print_field("User", str_or(get_text(o, "User"), "root"));
        print_field("Group", get_text(o, "Group"));
        print_field("Timeout", clock_format_timespan(timespan, get_number(o, "TimeoutUSec")));
        print_command(json_get_array(o, "Command"));
        print_lines("Environment", json_get_array(o, "Environment"), NULL);
        print_field("Input", get_text(o, "Input"));
        print_lines("Output", json_get_array(o, "Output"), json_has(o, "Output") ? "none" : "in the journal of this unit");
        print_end(o);
}
