/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/challenge-hook.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "bus/unit-name.h"
#include "domain/name.h"
#include "launcher/dns-memory.h"
#include "launcher/hook-place.h"
#include "launcher/hook-unit.h"
#include "launcher/hook.h"
#include "launcher/request.h"

#define SERVICE_INTERFACE "org.freedesktop.systemd1.Service"
#define TYPE_DNS01 "dns-01"

enum {
        TYPE_LENGTH_MAX = 32,
        VALUE_LENGTH = 43, /* SHA-256 as base64url */
};

/* --- The end: the unit stays loaded, because we hold a reference, until it was asked how it ended. --- */

typedef struct UnitEnd {
        const char *result;
        int32_t code, status;
} UnitEnd;

static void let_go(const Request *q) {
        int r;

        r = sd_bus_call_method_async(q->launcher->bus, NULL, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "UnrefUnit", NULL, NULL, "s", q->unit);
        if (r < 0)
                (void) log_failure(r, "Cannot let %s go: %m", q->unit);
}

static int read_property(sd_bus_message *m, const char *name, UnitEnd *end) {
        if (str_equal(name, "Result"))
                return sd_bus_message_read(m, "v", "s", &end->result);
        if (str_equal(name, "ExecMainCode"))
                return sd_bus_message_read(m, "v", "i", &end->code);
        if (str_equal(name, "ExecMainStatus"))
                return sd_bus_message_read(m, "v", "i", &end->status);
        return sd_bus_message_skip(m, "v");
}

static int read_end(sd_bus_message *m, UnitEnd *end) {
        const char *name;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = read_property(m, name, end);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        return end->result ? 0 : -EBADMSG;
}

/* A job that did not run to its end says more than the service, to which nothing may have happened. */
static const char *result_of(const Request *q, const UnitEnd *end) {
        return str_equal(q->result, "done") || str_equal(q->result, "failed") ? end->result : q->result;
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Request *q = userdata;
        UnitEnd end = { 0 };
        int r;

        let_go(q);
        if (sd_bus_message_is_method_error(m, NULL)) {
                request_fail(q, sd_bus_message_get_error(m));
                return 0;
        }
        r = read_end(m, &end);
        if (r < 0) {
                request_fail_errno(q, r);
                return 0;
        }
        r = sd_bus_reply_method_return(q->call, "ssii", q->unit, result_of(q, &end), end.code, end.status);
        if (r < 0)
                (void) log_failure(r, "Cannot answer the request for %s: %m", q->unit);
        request_free(q);
        return 0;
}

static int ask_end(Request *q) {
        _auto_free_ char *path = NULL;
        int r;

        r = sd_bus_path_encode(BUS_SYSTEMD_PATH "/unit", q->unit, &path);
        if (r < 0)
                return r;
        return sd_bus_call_method_async(q->launcher->bus, &q->slot, BUS_SYSTEMD_NAME, path, "org.freedesktop.DBus.Properties", "GetAll", on_properties, q, "s",
                                        SERVICE_INTERFACE);
}

static void on_ended(UnitCall *job, const char *result, const sd_bus_error *error, void *userdata) {
        Request *q = userdata;
        int r;

        if (!result) {
                request_fail(q, error);
                return;
        }
        r = str_replace(&q->result, result);
        if (r >= 0)
                r = ask_end(q);
        if (r < 0) {
                let_go(q);
                request_fail_errno(q, r);
        }
}

static int begin(Request *q) {
        return unit_call_send(q->launcher->bus, q->start, q->unit, 0, on_ended, q, &q->job);
}

static int run(Launcher *l, sd_bus_message *call, const char *what, const HookUnit *hook) {
        _cleanup_(request_freep) Request *q = NULL;
        int r;

        r = request_new(l, call, unit_name_for_hook(what, hook->domain, hook_next_number(l)), &q);
        if (r < 0)
                return r;
        r = hook_unit_message(l, q->unit, hook, &q->start);
        if (r < 0)
                return r;
        r = hook_place_ask(q, begin);
        if (r < 0)
                return r;

        take_ptr(q);
        return 0;
}

/* --- What is run --- */

static bool is_word_of(const char *s, const char *alphabet, size_t min, size_t max) {
        size_t n = strspn(s, alphabet);

        return n >= min && n <= max && s[n] == '\0';
}

static bool value_is_valid(const char *value) {
        return is_word_of(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", VALUE_LENGTH, VALUE_LENGTH);
}

static bool type_is_valid(const char *type) {
        return is_word_of(type, "abcdefghijklmnopqrstuvwxyz0123456789-", 1, TYPE_LENGTH_MAX);
}

static int add_variable(HookUnit *hook, const char *name, const char *value) {
        return strv_consume(&hook->environment, str_printf("%s=%s", name, value));
}

static int begin_environment(Launcher *l, HookUnit *hook, const char *type, const char *name) {
        int r;

        r = hook_unit_begin_environment(hook, l);
        if (r < 0)
                return r;
        r = add_variable(hook, "MD_CHALLENGE", type);
        return r < 0 ? r : add_variable(hook, "MD_IDENTIFIER", name);
}

static int add_record(HookUnit *hook, const char *name, const char *value) {
        int r;

        r = strv_consume(&hook->environment, str_printf("MD_RECORD=_acme-challenge.%s", name));
        return r < 0 ? r : add_variable(hook, "MD_VALUE", value);
}

/* What is configured now; for taking back, also what was when it was set up. */
static int find_dns_command(Launcher *l, EventKind event, const char *domain, char ***ret, unsigned *ret_version, sd_bus_error *error) {
        const ConfiguredServer *server = NULL;
        const ConfiguredDomain *d;
        char *const *command = NULL;
        int r;

        r = launcher_find_server(l, domain, &server, error);
        if (r >= 0) {
                d = map_get(server->domains, domain);
                command = d->dns01_command;
                *ret_version = server->dns01_version;
        }
        if (strv_length(command) == 0 && event == EVENT_CHALLENGE_TEARDOWN)
                command = dns_memory_get(l->dns_memory, domain, ret_version);
        if (strv_length(command) == 0)
                return r < 0 ? r : sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "MDChallengeDns01 names no command for %s.", domain);
        if (command[0][0] != '/')
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "MDChallengeDns01 of %s names a command that is no absolute path.", domain);

        sd_bus_error_free(error);
        *ret = strv_copy(command);
        return *ret ? 0 : -ENOMEM;
}

/* The command's own words, the verb, the name, and the value: version 1 does not tell it when it is to be taken back. */
static int prepare_dns(Launcher *l, HookUnit *hook, const char *verb, const char *name, const char *value, sd_bus_error *error) {
        unsigned version = 0;
        int r;

        r = begin_environment(l, hook, TYPE_DNS01, name);
        if (r < 0)
                return r;
        r = add_record(hook, name, value);
        if (r < 0)
                return r;
        r = find_dns_command(l, hook->event, hook->domain, &hook->command, &version, error);
        if (r < 0)
                return r;
        if (hook->event == EVENT_CHALLENGE_SETUP) {
                r = dns_memory_put(l->dns_memory, hook->domain, hook->command, version);
                if (r < 0)
                        return r;
        }
        r = strv_extend(&hook->command, verb);
        if (r >= 0)
                r = strv_extend(&hook->command, name);
        if (r >= 0 && (hook->event == EVENT_CHALLENGE_SETUP || version >= 2))
                r = strv_extend(&hook->command, value);
        return r;
}

int challenge_hook_run(Launcher *l, sd_bus_message *call, const char *domain, const char *verb, const char *name, const char *value, sd_bus_error *error) {
        bool setup = str_equal(verb, "setup");
        _cleanup_(hook_unit_done) HookUnit hook = { .domain = domain, .event = setup ? EVENT_CHALLENGE_SETUP : EVENT_CHALLENGE_TEARDOWN, .followed = true };
        int r;

        if (!setup && !str_equal(verb, "teardown"))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "A challenge is set up or torn down.");
        if (!domain_name_is_valid(name) || domain_name_is_wildcard(name))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no name that has a record.");
        if (!value_is_valid(value))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no value of a record.");

        r = prepare_dns(l, &hook, verb, name, value, error);
        if (r < 0)
                return r;
        return run(l, call, setup ? "challenge-setup-" TYPE_DNS01 : "challenge-teardown-" TYPE_DNS01, &hook);
}

int challenge_event_run(Launcher *l, sd_bus_message *call, const char *domain, const char *type, const char *name, sd_bus_error *error) {
        _cleanup_(hook_unit_done) HookUnit hook = { .domain = domain, .event = EVENT_CHALLENGE_SETUP, .followed = true };
        int r;

        if (!type_is_valid(type))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no type of challenge.");
        if (!domain_identifier_is_valid(name) || domain_name_is_wildcard(name))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no name that is proven.");

        r = begin_environment(l, &hook, type, name);
        if (r < 0)
                return r;
        r = hook_find_command(l, domain, &hook.command, error);
        if (r < 0)
                return r;
        r = strv_consume(&hook.command, str_printf("challenge-setup:%s:%s", type, name));
        if (r >= 0)
                r = strv_extend(&hook.command, domain);
        if (r < 0)
                return r;
        return run(l, call, "challenge-setup", &hook);
}
