/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/hook.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "bus/unit-name.h"
#include "launcher/hook-follow.h"
#include "launcher/hook-place.h"
#include "launcher/hook-unit.h"
#include "launcher/request.h"

enum {
        FIELDS_MAX = 32,
        FIELD_KEY_MAX = 64,
};

/* The fields become environment of a program that root configured: only names of ours, and only text. */

static bool key_is_valid(const char *key) {
        /* What we say ourselves, and what mod_md's interface notes gave another meaning. */
        static const char *const reserved[] = { "MD_NAME", "MD_EVENT", "MD_STORE_DIR", "MD_MANAGER_VERSION", "MD_STORE", "MD_VERSION" };
        const char *rest = str_after_prefix(key, "MD_");

        if (str_is_empty(rest) || strlen(key) > FIELD_KEY_MAX)
                return false;
        for (const char *c = rest; *c; c++)
                if (!(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9') && *c != '_')
                        return false;
        for (size_t i = 0; i < ELEMENTSOF(reserved); i++)
                if (str_equal(reserved[i], key))
                        return false;
        return true;
}

static int add_field(char ***environment, const char *key, const char *value) {
        _auto_free_ char *printable = NULL;

        printable = str_printable(value, strlen(value), HOOK_VALUE_MAX);
        if (!printable)
                return -ENOMEM;
        return strv_consume(environment, str_printf("%s=%s", key, printable));
}

static int read_fields(sd_bus_message *call, char ***environment, sd_bus_error *error) {
        const char *key, *value;
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(call, 'a', "{ss}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(call, "{ss}", &key, &value)) > 0) {
                if (++n > FIELDS_MAX)
                        return sd_bus_error_set(error, BUS_ERROR_INVALID, "Too many fields.");
                if (!key_is_valid(key))
                        return sd_bus_error_set(error, BUS_ERROR_INVALID, "A field has a name that no hook gets.");
                r = add_field(environment, key, value);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(call);
}

static int take_command(const char *directive, const char *domain, char *const *command, char ***ret, sd_bus_error *error) {
        if (strv_length(command) == 0)
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "The server of %s has no %s.", domain, directive);
        if (command[0][0] != '/')
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "%s of the server of %s is no absolute path.", directive, domain);

        *ret = strv_copy(command);
        return *ret ? 0 : -ENOMEM;
}

int hook_find_command(Launcher *l, const char *domain, char ***ret, sd_bus_error *error) {
        const ConfiguredServer *server;
        int r;

        r = launcher_find_server(l, domain, &server, error);
        if (r < 0)
                return r;
        return take_command("MDMessageCmd", domain, server->command, ret, error);
}

static int find_notify_command(Launcher *l, const char *domain, char ***ret, sd_bus_error *error) {
        const ConfiguredServer *server;
        int r;

        r = launcher_find_server(l, domain, &server, error);
        return r < 0 ? r : take_command("MDNotifyCmd", domain, server->notify_command, ret, error);
}

static int on_taken(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Request *q = userdata;

        if (sd_bus_message_is_method_error(m, NULL))
                request_fail(q, sd_bus_message_get_error(m));
        else
                request_succeed(q);
        return 0;
}

static int start(Request *q) {
        return sd_bus_call_async(q->launcher->bus, &q->slot, q->start, on_taken, q, 0);
}

/* Of certificates that no domain has, the first server with a command hears. */
static int find_other_command(Launcher *l, HookUnit *hook, sd_bus_error *error) {
        const ConfiguredServer *server;
        int r;

        r = launcher_find_server(l, NULL, &server, error);
        return r < 0 ? r : take_command("MDMessageCmd", hook->domain, server->command, &hook->command, error);
}

static bool is_other(Launcher *l, const HookUnit *hook) {
        _cleanup_(sd_bus_error_free) sd_bus_error none = SD_BUS_ERROR_NULL;
        const ConfiguredServer *server;

        return event_kind_concerns_other(hook->event) && str_equal(hook->domain, EVENT_NAME_OTHER) && launcher_find_server(l, hook->domain, &server, &none) < 0;
}

/* The command that MDMessageCmd has is told the event; the one of MDNotifyCmd knows only one. */
static int prepare_command(Launcher *l, HookUnit *hook, bool notify, sd_bus_error *error) {
        int r;

        if (is_other(l, hook))
                r = find_other_command(l, hook, error);
        else if (notify)
                r = find_notify_command(l, hook->domain, &hook->command, error);
        else
                r = hook_find_command(l, hook->domain, &hook->command, error);
        if (r >= 0 && !notify)
                r = strv_extend(&hook->command, event_kind_to_string(hook->event));
        return r < 0 ? r : strv_extend(&hook->command, hook->domain);
}

static int prepare(Launcher *l, sd_bus_message *call, HookUnit *hook, bool notify, sd_bus_error *error) {
        int r;

        r = hook_unit_begin(hook, l, error);
        if (r < 0)
                return r;
        r = read_fields(call, &hook->environment, error);
        if (r < 0)
                return r;
        r = prepare_command(l, hook, notify, error);
        return r < 0 ? r : hook_unit_say(hook);
}

/* Those of challenges: launcher/challenge-hook.h. */
static int read_event(const char *event, EventKind *ret, sd_bus_error *error) {
        if (!event_kind_from_string(event, ret) || *ret == EVENT_CHALLENGE_SETUP || *ret == EVENT_CHALLENGE_TEARDOWN)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no event.");
        return 0;
}

int hook_run(Launcher *l, sd_bus_message *call, const char *domain, const char *event, sd_bus_error *error) {
        _cleanup_(hook_unit_done) HookUnit hook = { .domain = domain };
        _cleanup_(request_freep) Request *q = NULL;
        int r;

        r = read_event(event, &hook.event, error);
        if (r < 0)
                return r;
        r = prepare(l, call, &hook, false, error);
        if (r < 0)
                return r;
        r = request_new(l, call, unit_name_for_hook(event, domain, hook_next_number(l)), &q);
        if (r < 0)
                return r;
        r = hook_unit_message(l, q->unit, &hook, &q->start);
        if (r < 0)
                return r;
        r = hook_place_ask(q, start);
        if (r < 0)
                return r;

        take_ptr(q);
        return 0;
}

int hook_run_event(Launcher *l, sd_bus_message *call, const char *domain, const char *event, const char *command, sd_bus_error *error) {
        bool notify = str_equal(command, "notify");
        _cleanup_(hook_unit_done) HookUnit hook = { .domain = domain };
        int r;

        r = read_event(event, &hook.event, error);
        if (r < 0)
                return r;
        if (!notify && !str_equal(command, "message"))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "There are two commands: 'message' and 'notify'.");
        if (notify && hook.event != EVENT_RENEWED)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This command is for 'renewed' alone.");

        r = prepare(l, call, &hook, notify, error);
        if (r < 0)
                return r;
        return hook_follow(l, call, notify ? "renewed-notify" : event, &hook);
}
