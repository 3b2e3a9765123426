/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/hook-unit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "config.h"
#include "launcher/hook-user.h"
#include "launcher/settings.h"
#include "store/store.h"

#define HOOK_SLICE "system-md\\x2dhook.slice"
#define HOOK_TASKS_MAX UINT64_C(256)

void hook_unit_done(HookUnit *hook) {
        hook_settings_done(&hook->settings);
        free(hook->input);
        strv_free(hook->command);
        strv_free(hook->environment);
}

static int begin_environment(HookUnit *hook, const Launcher *l) {
        int r;

        r = strv_consume(&hook->environment, str_printf("MD_NAME=%s", hook->domain));
        if (r < 0)
                return r;
        r = strv_consume(&hook->environment, str_printf("MD_EVENT=%s", event_kind_to_string(hook->event)));
        if (r < 0)
                return r;
        r = strv_consume(&hook->environment, str_printf("MD_STORE_DIR=%s", l->store_dir));
        if (r < 0)
                return r;
        return strv_extend(&hook->environment, "MD_MANAGER_VERSION=" PROJECT_VERSION);
}

int hook_unit_begin(HookUnit *hook, const Launcher *l, sd_bus_error *error) {
        int r;

        r = launcher_settings_read(&hook->settings);
        if (r < 0)
                return r;
        r = hook_user_find(l, hook, error);
        return r < 0 ? r : begin_environment(hook, l);
}

/* Lists are words with blanks between them in the environment. */
static bool is_list(const char *key) {
        static const char *const lists[] = { "domains", "serials", "fingerprints", "certificates", "others" };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                if (str_equal(lists[i], key))
                        return true;
        return false;
}

static int say_variable(JsonObject *o, const char *variable) {
        const char *name = str_after_prefix(variable, "MD_"), *value = strchr(variable, '=');
        _auto_strv_ char **words = NULL;
        _auto_free_ char *key = NULL;

        if (!name || !value)
                return 0;
        key = strndup(name, (size_t) (value - name));
        if (!key)
                return -ENOMEM;
        str_to_lower(key);
        for (char *c = key; *c; c++)
                if (*c == '_')
                        *c = '-';
        if (!is_list(key))
                return json_add_string(o, key, value + 1);
        words = strv_split(value + 1, " ");
        return words ? json_add_strv(o, key, words) : -ENOMEM;
}

int hook_unit_say(HookUnit *hook) {
        _auto_json_ JsonObject *o = json_object_new_object();
        _auto_free_ char *text = NULL;
        int r = o ? 0 : -ENOMEM;

        STRV_FOREACH(variable, hook->environment)
                if (r >= 0)
                        r = say_variable(o, *variable);
        if (r < 0)
                return r;
        text = json_format_short(o);
        free(hook->input);
        hook->input = text ? str_printf("%s\n", text) : NULL;
        return hook->input ? 0 : -ENOMEM;
}

static int append_text(sd_bus_message *m, const char *name, const char *value) {
        return sd_bus_message_append(m, "(sv)", name, "s", value);
}

static int append_number(sd_bus_message *m, const char *name, uint64_t value) {
        return sd_bus_message_append(m, "(sv)", name, "t", value);
}

static int append_switch(sd_bus_message *m, const char *name, bool value) {
        return sd_bus_message_append(m, "(sv)", name, "b", (int) value);
}

static int open_property(sd_bus_message *m, const char *name, const char *type) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", name);
        if (r < 0)
                return r;
        return sd_bus_message_open_container(m, 'v', type);
}

static int close_property(sd_bus_message *m) {
        int r;

        r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_list(sd_bus_message *m, const char *name, char **list) {
        int r;

        r = open_property(m, name, "as");
        if (r < 0)
                return r;
        r = sd_bus_message_append_strv(m, list);
        if (r < 0)
                return r;
        return close_property(m);
}

static int append_commands(sd_bus_message *m, const HookUnit *hook) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sasas)");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'r', "sasas");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", hook->command[0]);
        if (r < 0)
                return r;
        r = sd_bus_message_append_strv(m, hook->command);
        if (r < 0)
                return r;
        /* Words are what the administrator wrote; a '$' in one is a '$'. */
        r = sd_bus_message_append(m, "as", 1, "no-env-expand");
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_exec(sd_bus_message *m, const HookUnit *hook) {
        int r;

        r = open_property(m, "ExecStartEx", "a(sasas)");
        if (r < 0)
                return r;
        r = append_commands(m, hook);
        if (r < 0)
                return r;
        return close_property(m);
}

/* So that "journalctl MD_NAME=example.org" shows what the hook had to say. */
static int append_journal_fields(sd_bus_message *m, const HookUnit *hook) {
        int r;

        r = open_property(m, "LogExtraFields", "aay");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "ay");
        if (r < 0)
                return r;
        for (size_t i = 0; i < 2; i++) { /* MD_NAME and MD_EVENT stand in front */
                r = sd_bus_message_append_array(m, 'y', hook->environment[i], strlen(hook->environment[i]));
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        return r < 0 ? r : close_property(m);
}

static int append_closed_paths(sd_bus_message *m, const Launcher *l, const HookUnit *hook) {
        static const char *const directories[] = { STORE_DOMAINS, STORE_RESERVE, STORE_STAGING, STORE_ACCOUNTS, STORE_ARCHIVE, STORE_TMP, STORE_OUTBOX, STORE_FALLBACK };
        _auto_strv_ char **paths = NULL;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                /* Taking the new certificate and its key elsewhere is what the privileged event is for. */
                if (event_kind_runs_as_root(hook->event) && str_equal(directories[i], STORE_DOMAINS))
                        continue;
                r = strv_consume(&paths, str_printf("-%s/%s", l->store_dir, directories[i]));
                if (r < 0)
                        return r;
        }
        return append_list(m, "InaccessiblePaths", paths);
}

static int append_identity(sd_bus_message *m, const HookUnit *hook) {
        int r;

        if (hook->as_root)
                return 0;

        r = append_text(m, "User", hook->user);
        if (r < 0)
                return r;
        r = append_number(m, "CapabilityBoundingSet", 0);
        if (r < 0)
                return r;
        return append_switch(m, "NoNewPrivileges", true);
}

static int append_switches(sd_bus_message *m, const char *const *names, size_t n) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++)
                r = append_switch(m, names[i], true);
        return r;
}

static int append_sandbox(sd_bus_message *m, const Launcher *l, const HookUnit *hook) {
        static const char *const switches[] = { "PrivateTmp", "RestrictSUIDSGID", "RestrictRealtime", "LockPersonality" };
        /* What these guard is root's alone. They cost more time than everything else together, and the others cannot gain what they would take. */
        static const char *const switches_of_root[] = { "ProtectClock", "ProtectControlGroups", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables" };
        int r;

        r = append_switches(m, switches, ELEMENTSOF(switches));
        if (r >= 0 && hook->as_root)
                r = append_switches(m, switches_of_root, ELEMENTSOF(switches_of_root));
        if (r < 0)
                return r;
        r = append_text(m, "ProtectSystem", "strict");
        if (r < 0)
                return r;
        r = append_text(m, "ProtectHome", "read-only"); /* scripts may live there */
        if (r < 0)
                return r;
        return append_closed_paths(m, l, hook);
}

static int append_limits(sd_bus_message *m, const HookUnit *hook) {
        int r;

        r = append_number(m, "TimeoutStartUSec", hook->settings.timeout_usec);
        if (r < 0)
                return r;
        r = append_number(m, "MemoryMax", hook->settings.memory_max);
        if (r < 0)
                return r;
        return append_number(m, "TasksMax", HOOK_TASKS_MAX);
}

static int append_input(sd_bus_message *m, const char *input) {
        int r;

        r = append_text(m, "StandardInput", "data");
        if (r < 0)
                return r;
        r = open_property(m, "StandardInputData", "ay");
        if (r < 0)
                return r;
        r = sd_bus_message_append_array(m, 'y', input, strlen(input));
        return r < 0 ? r : close_property(m);
}

static int append_service(sd_bus_message *m, const HookUnit *hook) {
        static const char *const texts[][2] = {
                { "Type", "oneshot" },
                { "Slice", HOOK_SLICE },
                { "StandardOutput", "journal" },
                { "StandardError", "journal" },
                { "CollectMode", "inactive-or-failed" }, /* each name is used once: failed ones would pile up */
        };
        _auto_free_ char *description = NULL;
        int r;

        description = str_printf("Hook for event %s of %s", event_kind_to_string(hook->event), hook->domain);
        if (!description)
                return -ENOMEM;
        r = append_text(m, "Description", description);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                r = append_text(m, texts[i][0], texts[i][1]);
                if (r < 0)
                        return r;
        }

        if (hook->input) {
                r = append_input(m, hook->input);
                if (r < 0)
                        return r;
        }
        /* Otherwise it would be gone before anybody can ask how it ended. */
        if (hook->followed) {
                r = append_switch(m, "AddRef", true);
                if (r < 0)
                        return r;
        }
        r = append_list(m, "Environment", hook->environment);
        if (r < 0)
                return r;
        r = append_journal_fields(m, hook);
        if (r < 0)
                return r;
        return append_exec(m, hook);
}

static int append_properties(sd_bus_message *m, const Launcher *l, const HookUnit *hook) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r < 0)
                return r;
        r = append_service(m, hook);
        if (r < 0)
                return r;
        r = append_identity(m, hook);
        if (r < 0)
                return r;
        r = append_sandbox(m, l, hook);
        if (r < 0)
                return r;
        r = append_limits(m, hook);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

int hook_unit_message(Launcher *l, const char *unit, const HookUnit *hook, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(l->bus, &m, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "StartTransientUnit");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "ss", unit, "fail");
        if (r < 0)
                return r;
        r = append_properties(m, l, hook);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r < 0)
                return r;

        *ret = take_ptr(m);
        return 0;
}
