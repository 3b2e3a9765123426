/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/exit-code.h"

/* Longer than polkit gives a person for a password. */
#define TIMEOUT_INTERACTIVE_USEC (6 * USEC_PER_MINUTE)
#define TIMEOUT_USEC (90 * USEC_PER_SEC)

enum { MESSAGE_MAX = 16 * 1024 };

int client_connect(Mdctl *c) {
        int r;

        if (c->bus)
                return MDCTL_DONE;
        r = c->host ? sd_bus_open_system_remote(&c->bus, c->host) : sd_bus_open_system(&c->bus);
        if (r >= 0)
                return MDCTL_DONE;
        fprintf(stderr, "Cannot connect to the system bus%s%s: %s\n", c->host ? " of " : "", c->host ? c->host : "", strerror(-r));
        return MDCTL_FAILED;
}

int client_send_patiently(Mdctl *c, sd_bus_message *m, uint64_t timeout_usec, sd_bus_error *error, sd_bus_message **ret) {
        int r;

        r = sd_bus_message_set_allow_interactive_authorization(m, !c->no_ask_password);
        if (r < 0)
                return sd_bus_error_set_errno(error, r);
        r = sd_bus_call(c->bus, m, timeout_usec, error, ret);
        if (r < 0 && c->host && (r == -ECONNRESET || r == -ENOTCONN)) {
                sd_bus_error_free(error);
                (void) sd_bus_error_setf(error, SD_BUS_ERROR_DISCONNECTED, "The connection to %s has ended, see what ssh says. That machine needs systemd-stdio-bridge", c->host);
        } else if (r < 0 && !sd_bus_error_is_set(error))
                (void) sd_bus_error_set_errno(error, r);
        return r < 0 ? r : 0;
}

int client_send(Mdctl *c, sd_bus_message *m, sd_bus_error *error, sd_bus_message **ret) {
        return client_send_patiently(c, m, c->no_ask_password ? TIMEOUT_USEC : TIMEOUT_INTERACTIVE_USEC, error, ret);
}

static int call(Mdctl *c, ClientMethod method, sd_bus_error *error, sd_bus_message **ret, const char *types, va_list ap) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, method.path, method.interface, method.name);
        if (r >= 0 && types)
                r = sd_bus_message_appendv(m, types, ap);
        return r < 0 ? sd_bus_error_set_errno(error, r) : client_send(c, m, error, ret);
}

int client_call(Mdctl *c, ClientMethod method, sd_bus_error *error, sd_bus_message **ret, const char *types, ...) {
        va_list ap;
        int r;

        va_start(ap, types);
        r = call(c, method, error, ret, types, ap);
        va_end(ap);
        return r;
}

static bool is_one_of(const sd_bus_error *error, const char *const *names) {
        for (; *names; names++)
                if (sd_bus_error_has_name(error, *names))
                        return true;
        return false;
}

/* What to do about errors that come from the bus and polkit, and not from the manager. NULL: nothing to add. */
static const char *advice(const sd_bus_error *error) {
        static const char *const not_authorized[] = { SD_BUS_ERROR_ACCESS_DENIED, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, NULL };
        static const char *const not_there[] = { SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "org.freedesktop.systemd1.NoSuchUnit", NULL };
        static const char *const not_started[] = {
                SD_BUS_ERROR_NO_REPLY, "org.freedesktop.DBus.Error.TimedOut", SD_BUS_ERROR_TIMEOUT, NULL,
        };

        if (is_one_of(error, not_authorized))
                return "Use sudo(8), or let polkit allow it by a rule, see md-manager-security(7).";
        if (is_one_of(error, not_there))
                return "md-manager is not installed here: nothing offers " BUS_NAME " on the system bus.";
        if (is_one_of(error, not_started) || str_has_prefix(error->name, "org.freedesktop.DBus.Error.Spawn.") ||
            str_has_prefix(error->name, "org.freedesktop.systemd1."))
                return "md-manager does not answer; see 'systemctl status md-manager' and 'journalctl -u md-manager'.";
        return NULL;
}

int client_tell(const sd_bus_error *error, const char *what) {
        const char *message = str_or(error->message, str_or(error->name, "no reason given"));
        _auto_free_ char *printable = str_printable(message, strlen(message), MESSAGE_MAX);
        const char *hint = error->name ? advice(error) : NULL;

        fprintf(stderr, "%s%s%s\n", what ? what : "", what ? ": " : "", str_or(printable, "out of memory"));
        if (hint)
                fprintf(stderr, "%s\n", hint);
        return exit_code_of_error(error);
}

int client_tell_answer(int r) {
        if (r == -ENOMEM)
                return mdctl_oom();
        fprintf(stderr, "md-manager answered something that this mdctl does not understand (%s); are both of the same version?\n", strerror(r < 0 ? -r : EBADMSG));
        return MDCTL_FAILED;
}

int client_call_manager(Mdctl *c, const char *name, sd_bus_message **ret, const char *types, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        va_list ap;
        int r;

        r = client_connect(c);
        if (r != MDCTL_DONE)
                return r;
        va_start(ap, types);
        r = call(c, (ClientMethod){ BUS_PATH, BUS_INTERFACE_MANAGER, name }, &error, ret, types, ap);
        va_end(ap);
        return r < 0 ? client_tell(&error, NULL) : MDCTL_DONE;
}

int client_get_all(Mdctl *c, const char *path, const char *interface, JsonObject **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = client_connect(c);
        if (r != MDCTL_DONE)
                return r;
        r = client_call(c, (ClientMethod){ path, "org.freedesktop.DBus.Properties", "GetAll" }, &error, &reply, "s", interface);
        if (r < 0)
                return client_tell(&error, NULL);
        r = bus_json_read(reply, ret);
        return r < 0 ? client_tell_answer(r) : MDCTL_DONE;
}

int client_get_domain(Mdctl *c, const char *name, char **ret_path, JsonObject **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_free_ char *copy = NULL;
        const char *path;
        int r;

        r = client_call_manager(c, "GetDomain", &reply, "s", name);
        if (r != MDCTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return client_tell_answer(r);
        copy = strdup(path);
        if (!copy)
                return mdctl_oom();
        r = client_get_all(c, path, BUS_INTERFACE_DOMAIN, ret);
        if (r == MDCTL_DONE && ret_path)
                *ret_path = take_ptr(copy);
        return r;
}

int client_each_domain(Mdctl *c, BusJsonEntry on_domain, void *userdata) {
        static const char *const members[] = {
                "Name", "Path", "State", "Action", "Reason", "ValidUntilUSec", "NextUSec", "Errors", "LastProblem", "WaitsFor", NULL,
        };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = client_call_manager(c, "ListDomains", &reply, NULL);
        if (r != MDCTL_DONE)
                return r;
        r = bus_json_read_each_named(reply, members, on_domain, userdata);
        return r < 0 ? client_tell_answer(r) : MDCTL_DONE;
}

static int append(JsonObject *domain, void *userdata) {
        JsonObject *list = userdata;

        if (json_object_array_add(list, domain) < 0)
                return -ENOMEM;
        (void) json_object_get(domain);
        return 0;
}

int client_list_domains(Mdctl *c, JsonObject **ret) {
        _auto_json_ JsonObject *list = json_object_new_array();
        int r;

        if (!list)
                return mdctl_oom();
        r = client_each_domain(c, append, list);
        if (r == MDCTL_DONE)
                *ret = take_ptr(list);
        return r;
}

int client_run_until_time(Mdctl *c, const bool *done, uint64_t timeout_usec) {
        uint64_t until = usec_add(clock_monotonic_usec(), timeout_usec);

        while (!*done) {
                int r = sd_bus_process(c->bus, NULL);
                uint64_t now = clock_monotonic_usec();

                if (r == 0 && now >= until)
                        return 0;
                if (r == 0)
                        r = sd_bus_wait(c->bus, until == USEC_INFINITY ? UINT64_MAX : until - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return 0;
}

int client_run_until(Mdctl *c, const bool *done) {
        return client_run_until_time(c, done, USEC_INFINITY);
}
