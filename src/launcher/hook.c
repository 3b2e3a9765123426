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
#include "launcher/request.h"
#include "store/snapshot.h"

#define HOOK_SLICE "system-md\\x2dhook.slice"
#define HOOK_TIMEOUT_USEC (5 * USEC_PER_MINUTE)
#define HOOK_MEMORY_MAX (UINT64_C(512) * 1024 * 1024)
#define HOOK_TASKS_MAX UINT64_C(256)

enum {
        FIELDS_MAX = 32,
        FIELD_KEY_MAX = 64,
        FIELD_VALUE_MAX = 4096,
};

typedef struct Event {
        const char *name;
        bool as_root; /* in mod_md it is the one that may take certificates to other services */
} Event;

static const Event events[] = {
        { "renewing" },
        { "renewed" },
        { "installed", .as_root = true },
        { "expiring" },
        { "errored" },
        { "reload-failed" },
        { "reload-pending" },
        { "served-differs" },
        { "store-damaged" },
        { "challenge-setup" },
        { "challenge-teardown" },
        { "ocsp-renewed" },
        { "ocsp-errored" },
};

static const Event *find_event(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                if (str_equal(events[i].name, name))
                        return &events[i];
        return NULL;
}

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

/* The command: of the first server that names the domain, as the manager merges them. */

static bool names_domain(const Snapshot *s, const char *domain) {
        for (size_t i = 0; i < s->n_domains; i++)
                if (str_equal(s->domains[i]->name, domain))
                        return true;
        return false;
}

static int find_command_in(Store *store, const char *id, const char *domain, bool *ret_named, char ***ret_command) {
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _auto_problem_ Problem *problem = NULL;
        _auto_strv_ char **complaints = NULL;
        int r;

        r = store_snapshot_read(store, id, &snapshot, &complaints, &problem);
        if (r < 0)
                return r;
        if (r == STORE_SNAPSHOT_E_REFUSED)
                log_warning("Snapshot refused: %s", problem ? problem->detail : id);
        if (r != STORE_SNAPSHOT_DONE || !names_domain(snapshot, domain))
                return 0;

        *ret_named = true;
        *ret_command = take_ptr(snapshot->message_cmd);
        return 0;
}

static int find_command(Launcher *l, const char *domain, char ***ret, sd_bus_error *error) {
        _cleanup_(store_closep) Store *store = NULL;
        _auto_problem_ Problem *problem = NULL;
        _auto_strv_ char **ids = NULL, **command = NULL;
        bool named = false;
        int r;

        r = store_open(l->store_dir, STORE_ROLE_SERVER, &store, &problem);
        if (r < 0)
                return r;
        if (r != STORE_DONE)
                return sd_bus_error_set(error, BUS_ERROR_NOT_CONFIGURED, problem ? problem->detail : "The store cannot be used.");
        r = store_snapshot_list(store, &ids);
        if (r < 0)
                return r;

        STRV_FOREACH(id, ids) {
                r = find_command_in(store, *id, domain, &named, &command);
                if (r < 0)
                        return r;
                if (named)
                        break;
        }

        if (!named)
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "No server is configured to have %s managed.", domain);
        if (strv_length(command) == 0)
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "The server of %s has no command for events.", domain);
        if (command[0][0] != '/')
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "The server of %s has a command for events that is no absolute path.", domain);

        *ret = take_ptr(command);
        return 0;
}

/* The unit */

typedef struct Hook {
        const Event *event;
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
                if (hook->event->as_root && str_equal(directories[i], STORE_DOMAINS))
                        continue;
                r = strv_consume(&paths, str_printf("-%s/%s", l->store_dir, directories[i]));
                if (r < 0)
                        return r;
        }
        return append_list(m, "InaccessiblePaths", paths);
}

static int append_identity(sd_bus_message *m, const Hook *hook) {
        int r;

        if (hook->event->as_root)
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

        description = str_printf("Hook for event %s of %s", hook->event->name, hook->domain);
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

static int send_hook(Request *q, const Hook *hook) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(q->launcher->bus, &m, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "StartTransientUnit");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "ss", q->unit, "fail");
        if (r < 0)
                return r;
        r = append_properties(m, q->launcher, hook);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r < 0)
                return r;
        return sd_bus_call_async(q->launcher->bus, &q->slot, m, on_taken, q, 0);
}

/* A number that no unit had which may still be there, also when another launcher made it. */
static uint64_t next_number(Launcher *l) {
        l->hook_number = MAX_OF(l->hook_number + 1, clock_now_usec() / USEC_PER_SEC);
        return l->hook_number;
}

static int prepare(Launcher *l, sd_bus_message *call, Hook *hook, sd_bus_error *error) {
        int r;

        r = make_environment(l, call, hook->domain, hook->event->name, &hook->environment, error);
        if (r < 0)
                return r;
        r = find_command(l, hook->domain, &hook->command, error);
        if (r < 0)
                return r;
        r = strv_extend(&hook->command, hook->event->name);
        if (r < 0)
                return r;
        return strv_extend(&hook->command, hook->domain);
}

int hook_run(Launcher *l, sd_bus_message *call, const char *domain, const char *event, sd_bus_error *error) {
        _cleanup_(hook_done) Hook hook = { .event = find_event(event), .domain = domain };
        _cleanup_(request_freep) Request *q = NULL;
        int r;

        if (!hook.event)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no event.");

        r = prepare(l, call, &hook, error);
        if (r < 0)
                return r;
        r = request_new(l, call, unit_name_for_hook(event, domain, next_number(l)), &q);
        if (r < 0)
                return r;
        r = send_hook(q, &hook);
        if (r < 0)
                return r;

        take_ptr(q);
        return 0;
}
