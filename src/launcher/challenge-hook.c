/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/challenge-hook.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "domain/name.h"
#include "launcher/dns-memory.h"
#include "launcher/hook-follow.h"
#include "launcher/hook-unit.h"
#include "launcher/hook.h"

#define TYPE_DNS01 "dns-01"

enum {
        TYPE_LENGTH_MAX = 32,
        VALUE_LENGTH = 43, /* SHA-256 as base64url */
};

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

/* Of a domain that nobody configures any more there are none. */
static int add_names(Launcher *l, HookUnit *hook) {
        _cleanup_(sd_bus_error_free) sd_bus_error ignored = SD_BUS_ERROR_NULL;
        _auto_free_ char *joined = NULL, *names = NULL;
        const ConfiguredServer *server;
        const ConfiguredDomain *d;

        if (launcher_find_server(l, hook->domain, &server, &ignored) < 0)
                return 0;
        d = map_get(server->domains, hook->domain);
        if (strv_length(d->names) == 0)
                return 0;
        joined = strv_join(d->names, " ");
        names = joined ? str_printable(joined, strlen(joined), HOOK_VALUE_MAX) : NULL;
        return names ? add_variable(hook, "MD_DOMAINS", names) : -ENOMEM;
}

static int begin(Launcher *l, HookUnit *hook, const char *type, const char *name, sd_bus_error *error) {
        int r;

        r = hook_unit_begin(hook, l, error);
        if (r < 0)
                return r;
        r = add_names(l, hook);
        if (r >= 0)
                r = add_variable(hook, "MD_CHALLENGE", type);
        return r < 0 ? r : add_variable(hook, "MD_IDENTIFIER", name);
}

static int add_record(HookUnit *hook, const char *name, const char *value) {
        int r;

        r = strv_consume(&hook->environment, str_printf("MD_RECORD=_acme-challenge.%s", name));
        return r < 0 ? r : add_variable(hook, "MD_VALUE", value);
}

/* A name of the domain, or what a wildcard of it stands on. */
static bool has_name(const ConfiguredDomain *d, const char *name) {
        _auto_free_ char *wildcard = str_printf("*.%s", name);

        return strv_contains(d->names, name) || (wildcard && strv_contains(d->names, wildcard));
}

/* What is configured now; for taking back, also what was when it was set up. The command can write wherever its credentials reach: it is asked to set up records of
 * the domain's own names alone. */
static int find_dns_command(Launcher *l, const HookUnit *hook, const char *name, char ***ret, unsigned *ret_version, sd_bus_error *error) {
        const char *domain = hook->domain;
        const ConfiguredServer *server = NULL;
        const ConfiguredDomain *d;
        char *const *command = NULL;
        int r;

        r = launcher_find_server(l, domain, &server, error);
        if (r >= 0) {
                d = map_get(server->domains, domain);
                command = d->dns01_command;
                *ret_version = server->dns01_version;
                if (strv_length(command) > 0 && hook->event == EVENT_CHALLENGE_SETUP && !has_name(d, name))
                        return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "%s is no name of %s.", name, domain);
        }
        if (strv_length(command) == 0 && hook->event == EVENT_CHALLENGE_TEARDOWN)
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

        r = begin(l, hook, TYPE_DNS01, name, error);
        if (r < 0)
                return r;
        r = add_record(hook, name, value);
        if (r < 0)
                return r;
        r = find_dns_command(l, hook, name, &hook->command, &version, error);
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
        return r < 0 ? r : hook_unit_say(hook);
}

int challenge_hook_run(Launcher *l, sd_bus_message *call, const char *domain, const char *verb, const char *name, const char *value, sd_bus_error *error) {
        bool setup = str_equal(verb, "setup");
        _cleanup_(hook_unit_done) HookUnit hook = { .domain = domain, .event = setup ? EVENT_CHALLENGE_SETUP : EVENT_CHALLENGE_TEARDOWN };
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
        return hook_follow(l, call, setup ? "challenge-setup-" TYPE_DNS01 : "challenge-teardown-" TYPE_DNS01, &hook);
}

int challenge_event_run(Launcher *l, sd_bus_message *call, const char *domain, const char *type, const char *name, sd_bus_error *error) {
        _cleanup_(hook_unit_done) HookUnit hook = { .domain = domain, .event = EVENT_CHALLENGE_SETUP };
        int r;

        if (!type_is_valid(type))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no type of challenge.");
        if (!domain_identifier_is_valid(name) || domain_name_is_wildcard(name))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no name that is proven.");

        r = begin(l, &hook, type, name, error);
        if (r < 0)
                return r;
        r = hook_find_command(l, domain, &hook.command, error);
        if (r < 0)
                return r;
        r = strv_consume(&hook.command, str_printf("challenge-setup:%s:%s", type, name));
        if (r >= 0)
                r = strv_extend(&hook.command, domain);
        if (r >= 0)
                r = hook_unit_say(&hook);
        if (r < 0)
                return r;
        return hook_follow(l, call, "challenge-setup", &hook);
}
