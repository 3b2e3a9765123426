/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/hook.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "bus/unit-name.h"
#include "config.h"
#include "domain/event.h"
#include "launcher/request.h"
#include "store/store.h"

#define HOOK_SLICE "system-md\\x2dhook.slice"
#define HOOK_TIMEOUT_USEC (5 * USEC_PER_MINUTE)
#define HOOK_MEMORY_MAX (UINT64_C(512) * 1024 * 1024)
#define HOOK_TASKS_MAX UINT64_C(256)

enum {
        HOOKS_MAX = 16, /* at a time, for all */
        FIELDS_MAX = 32,
        FIELD_KEY_MAX = 64,
        FIELD_VALUE_MAX = 4096,
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

        printable = str_printable(value, strlen(value), FIELD_VALUE_MAX);
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

static int make_environment(Launcher *l, sd_bus_message *call, const char *domain, const char *event, char ***ret, sd_bus_error *error) {
        _auto_strv_ char **environment = NULL;
        int r;

        r = strv_consume(&environment, str_printf("MD_NAME=%s", domain));
        if (r < 0)
                return r;
        r = strv_consume(&environment, str_printf("MD_EVENT=%s", event));
        if (r < 0)
                return r;
        r = strv_consume(&environment, str_printf("MD_STORE_DIR=%s", l->store_dir));
        if (r < 0)
                return r;
        r = strv_extend(&environment, "MD_MANAGER_VERSION=" PROJECT_VERSION);
        if (r < 0)
                return r;
        r = read_fields(call, &environment, error);
        if (r < 0)
                return r;

        *ret = take_ptr(environment);
        return 0;
}

static int find_command(Launcher *l, const char *domain, char ***ret, sd_bus_error *error) {
        const ConfiguredServer *server;
        int r;

        r = launcher_find_server(l, domain, &server, error);
        if (r < 0)
                return r;
        if (strv_length(server->command) == 0)
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "The server of %s has no command for events.", domain);
        if (server->command[0][0] != '/')
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "The server of %s has a command for events that is no absolute path.", domain);

        *ret = strv_copy(server->command);
        return *ret ? 0 : -ENOMEM;
}

/* The unit */

typedef struct Hook {
        EventKind event;
        const char *domain;
        char **command;
        char **environment;
} Hook;

static void hook_done(Hook *hook) {
        strv_free(hook->command);
        strv_free(hook->environment);
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

static int append_commands(sd_bus_message *m, const Hook *hook) {
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

static int append_exec(sd_bus_message *m, const Hook *hook) {
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
static int append_journal_fields(sd_bus_message *m, const Hook *hook) {
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

static int append_closed_paths(sd_bus_message *m, const Launcher *l, const Hook *hook) {
        static const char *const directories[] = { STORE_DOMAINS, STORE_RESERVE, STORE_STAGING, STORE_ACCOUNTS, STORE_ARCHIVE, STORE_TMP, STORE_FALLBACK };
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

static int append_identity(sd_bus_message *m, const Hook *hook) {
        int r;

        if (event_kind_runs_as_root(hook->event))
                return 0;

        r = append_text(m, "User", HOOK_USER);
        if (r < 0)
                return r;
        r = append_number(m, "CapabilityBoundingSet", 0);
        if (r < 0)
                return r;
        return append_switch(m, "NoNewPrivileges", true);
}

static int append_sandbox(sd_bus_message *m, const Launcher *l, const Hook *hook) {
        static const char *const switches[] = {
                "PrivateTmp", "ProtectClock", "ProtectControlGroups", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "RestrictSUIDSGID", "RestrictRealtime", "LockPersonality",
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(switches); i++) {
                r = append_switch(m, switches[i], true);
                if (r < 0)
                        return r;
        }
        r = append_text(m, "ProtectSystem", "strict");
        if (r < 0)
                return r;
        r = append_text(m, "ProtectHome", "read-only"); /* scripts may live there */
        if (r < 0)
                return r;
        return append_closed_paths(m, l, hook);
}

static int append_limits(sd_bus_message *m) {
        int r;

        r = append_number(m, "TimeoutStartUSec", HOOK_TIMEOUT_USEC);
        if (r < 0)
                return r;
        r = append_number(m, "MemoryMax", HOOK_MEMORY_MAX);
        if (r < 0)
                return r;
        return append_number(m, "TasksMax", HOOK_TASKS_MAX);
}

static int append_service(sd_bus_message *m, const Hook *hook) {
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

        r = append_list(m, "Environment", hook->environment);
        if (r < 0)
                return r;
        r = append_journal_fields(m, hook);
        if (r < 0)
                return r;
        return append_exec(m, hook);
}

static int append_properties(sd_bus_message *m, const Launcher *l, const Hook *hook) {
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
        r = append_limits(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int on_taken(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Request *q = userdata;

        if (sd_bus_message_is_method_error(m, NULL))
                request_fail(q, sd_bus_message_get_error(m));
        else
                request_succeed(q);
        return 0;
}

static int start_message(Launcher *l, const char *unit, const Hook *hook, sd_bus_message **ret) {
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

/* Not too many at a time. Only systemd knows which ones run: an earlier launcher may have started them. It answers in the order of our questions, and those that
 * it was asked to start since are among our requests. */

/* Whether both are for one event of one domain: all but the number at the end is the same. */
static bool is_same_hook(const char *a, const char *b) {
        const char *end = strrchr(a, '-');

        return end && strncmp(a, b, (size_t) (end - a) + 1) == 0 && !strchr(b + (end - a) + 1, '-');
}

static int read_running(sd_bus_message *m, const Launcher *l, Map *running) {
        const char *unit;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(ssssssouso)", &unit, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) > 0) {
                r = map_put(running, unit, running);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        if (r < 0)
                return r;
        for (const Request *q = l->requests; q; q = q->next)
                if (q->started && (r = map_put(running, q->unit, running)) < 0 && r != -EEXIST)
                        return r;
        return 0;
}

static bool is_free(const Request *q, Map *running) {
        const char *unit;
        void *value;

        if (map_size(running) >= HOOKS_MAX)
                return false;
        MAP_FOREACH(running, unit, value)
                if (is_same_hook(q->unit, unit))
                        return false;
        return true;
}

static int on_running(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _auto_map_ Map *running = map_new();
        Request *q = userdata;
        int r;

        if (sd_bus_message_is_method_error(m, NULL)) {
                request_fail(q, sd_bus_message_get_error(m));
                return 0;
        }
        r = running ? read_running(m, q->launcher, running) : -ENOMEM;
        if (r >= 0 && !is_free(q, running)) {
                request_fail_with(q, BUS_ERROR_BUSY, "A hook for this event and domain is running, or %d others are.", HOOKS_MAX);
                return 0;
        }
        q->slot = sd_bus_slot_unref(q->slot);
        if (r >= 0)
                r = sd_bus_call_async(q->launcher->bus, &q->slot, q->start, on_taken, q, 0);
        if (r < 0)
                request_fail_errno(q, r);
        else
                q->started = true;
        return 0;
}

static int ask_running(Request *q) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(q->launcher->bus, &m, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "ListUnitsByPatterns");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "asas", 0, 1, UNIT_HOOK_PREFIX "*.service");
        if (r < 0)
                return r;
        return sd_bus_call_async(q->launcher->bus, &q->slot, m, on_running, q, 0);
}

/* A number that no unit had which may still be there, also when another launcher made it. */
static uint64_t next_number(Launcher *l) {
        l->hook_number = MAX_OF(l->hook_number + 1, clock_now_usec() / USEC_PER_SEC);
        return l->hook_number;
}

static int prepare(Launcher *l, sd_bus_message *call, Hook *hook, sd_bus_error *error) {
        int r;

        r = make_environment(l, call, hook->domain, event_kind_to_string(hook->event), &hook->environment, error);
        if (r < 0)
                return r;
        r = find_command(l, hook->domain, &hook->command, error);
        if (r < 0)
                return r;
        r = strv_extend(&hook->command, event_kind_to_string(hook->event));
        if (r < 0)
                return r;
        return strv_extend(&hook->command, hook->domain);
}

int hook_run(Launcher *l, sd_bus_message *call, const char *domain, const char *event, sd_bus_error *error) {
        _cleanup_(hook_done) Hook hook = { .domain = domain };
        _cleanup_(request_freep) Request *q = NULL;
        int r;

        if (!event_kind_from_string(event, &hook.event))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no event.");

        r = prepare(l, call, &hook, error);
        if (r < 0)
                return r;
        r = request_new(l, call, unit_name_for_hook(event, domain, next_number(l)), &q);
        if (r < 0)
                return r;
        r = start_message(l, q->unit, &hook, &q->start);
        if (r < 0)
                return r;
        r = ask_running(q);
        if (r < 0)
                return r;

        take_ptr(q);
        return 0;
}
