/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/launcher.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "domain/name.h"
#include "launcher/challenge-hook.h"
#include "launcher/hook.h"
#include "launcher/request.h"
#include "launcher/timer.h"

/* Bus policy says the same; a program that root runs does not rely on a file being in place. */
static int check_caller(Launcher *l, sd_bus_message *call, sd_bus_error *error) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        const char *sender = sd_bus_message_get_sender(call);
        uid_t uid;
        int r;

        if (sender && str_equal(l->known_caller, sender))
                return 0;

        /* Asks the bus itself and waits for the answer: once for each run of the manager. */
        r = sd_bus_query_sender_creds(call, SD_BUS_CREDS_EUID, &creds);
        if (r < 0)
                return r;
        r = sd_bus_creds_get_euid(creds, &uid);
        if (r < 0)
                return r;
        if (uid != 0 && uid != l->manager_uid)
                return sd_bus_error_set(error, BUS_ERROR_NOT_ALLOWED, "Only the certificate manager may ask for this.");

        return str_replace(&l->known_caller, sender);
}

static int check_request(Launcher *l, sd_bus_message *call, sd_bus_error *error) {
        int r;

        r = check_caller(l, call, error);
        if (r < 0)
                return r;
        if (l->n_requests >= REQUESTS_MAX)
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many requests at a time.");
        return 0;
}

static int check_domain(const char *domain, sd_bus_error *error) {
        if (!domain_identifier_is_valid(domain))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no domain name.");
        return 0;
}

int launcher_find_server(Launcher *l, const char *domain, const ConfiguredServer **ret, sd_bus_error *error) {
        _auto_problem_ Problem *problem = NULL;
        int r;

        r = configured_find(&l->configured, l->store_dir, domain, ret, &problem);
        if (r < 0)
                return r;
        if (r != CONFIGURED_DONE)
                return sd_bus_error_set(error, BUS_ERROR_NOT_CONFIGURED, problem ? problem->detail : "The store cannot be used.");
        if (!*ret && !domain)
                return sd_bus_error_set(error, BUS_ERROR_NOT_CONFIGURED, "No server has MDMessageCmd.");
        if (!*ret)
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "No server is configured to have %s managed.", domain);
        return 0;
}

static int method_arm_timer(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const ConfiguredServer *server;
        Launcher *l = userdata;
        const char *domain;
        uint64_t when_usec;
        int r;

        r = check_request(l, call, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "st", &domain, &when_usec);
        if (r < 0)
                return r;
        r = check_domain(domain, error);
        if (r < 0)
                return r;

        r = launcher_find_server(l, domain, &server, error);
        if (r < 0)
                return r;

        r = timer_arm(l, call, domain, when_usec, error);
        return r < 0 ? r : 1;
}

static int method_arm_ocsp(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Launcher *l = userdata;
        uint64_t when_usec;
        int r;

        r = check_request(l, call, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "t", &when_usec);
        if (r < 0)
                return r;

        r = timer_arm_ocsp(l, call, when_usec, error);
        return r < 0 ? r : 1;
}

static int method_arm_reload(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *calendar;
        Launcher *l = userdata;
        int r;

        r = check_request(l, call, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "s", &calendar);
        if (r < 0)
                return r;

        r = timer_arm_reload(l, call, calendar, error);
        return r < 0 ? r : 1;
}

static int method_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Launcher *l = userdata;
        const char *unit;
        int r;

        r = check_request(l, call, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "s", &unit);
        if (r < 0)
                return r;

        r = timer_or_hook_cancel(l, call, unit, error);
        return r < 0 ? r : 1;
}

static int method_run_hook(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Launcher *l = userdata;
        const char *domain, *event;
        int r;

        r = check_request(l, call, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "ss", &domain, &event);
        if (r < 0)
                return r;
        r = check_domain(domain, error);
        if (r < 0)
                return r;

        r = hook_run(l, call, domain, event, error);
        return r < 0 ? r : 1;
}

static int method_run_event(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *domain, *event, *command;
        Launcher *l = userdata;
        int r;

        r = check_request(l, call, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "sss", &domain, &event, &command);
        if (r < 0)
                return r;
        r = check_domain(domain, error);
        if (r < 0)
                return r;

        r = hook_run_event(l, call, domain, event, command, error);
        return r < 0 ? r : 1;
}

static int method_run_challenge_hook(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *domain, *verb, *name, *value;
        Launcher *l = userdata;
        int r;

        r = check_request(l, call, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "ssss", &domain, &verb, &name, &value);
        if (r < 0)
                return r;
        r = check_domain(domain, error);
        if (r < 0)
                return r;

        r = challenge_hook_run(l, call, domain, verb, name, value, error);
        return r < 0 ? r : 1;
}

static int method_run_challenge_event(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *domain, *type, *name;
        Launcher *l = userdata;
        int r;

        r = check_request(l, call, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "sss", &domain, &type, &name);
        if (r < 0)
                return r;
        r = check_domain(domain, error);
        if (r < 0)
                return r;

        r = challenge_event_run(l, call, domain, type, name, error);
        return r < 0 ? r : 1;
}

/* UNPRIVILEGED: sd-bus would otherwise want the caller to be root. */
static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("ArmTimer",
                                SD_BUS_ARGS("s", domain, "t", when_usec),
                                SD_BUS_RESULT("s", unit),
                                method_arm_timer,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ArmOcsp",
                                SD_BUS_ARGS("t", when_usec),
                                SD_BUS_RESULT("s", unit),
                                method_arm_ocsp,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ArmReload",
                                SD_BUS_ARGS("s", calendar),
                                SD_BUS_RESULT("s", unit),
                                method_arm_reload,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Cancel",
                                SD_BUS_ARGS("s", unit),
                                SD_BUS_NO_RESULT,
                                method_cancel,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RunHook",
                                SD_BUS_ARGS("s", domain, "s", event, "a{ss}", fields),
                                SD_BUS_RESULT("s", unit),
                                method_run_hook,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RunEvent",
                                SD_BUS_ARGS("s", domain, "s", event, "s", command, "a{ss}", fields),
                                SD_BUS_RESULT("s", unit, "s", result, "i", exit_code, "i", exit_status),
                                method_run_event,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RunChallengeHook",
                                SD_BUS_ARGS("s", domain, "s", verb, "s", name, "s", value),
                                SD_BUS_RESULT("s", unit, "s", result, "i", exit_code, "i", exit_status),
                                method_run_challenge_hook,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RunChallengeEvent",
                                SD_BUS_ARGS("s", domain, "s", type, "s", name),
                                SD_BUS_RESULT("s", unit, "s", result, "i", exit_code, "i", exit_status),
                                method_run_challenge_event,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("TestEvent",
                                SD_BUS_ARGS("s", domain, "s", event, "s", command, "a{ss}", fields),
                                SD_BUS_RESULT("a{sv}", description),
                                method_run_event,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("TestChallengeHook",
                                SD_BUS_ARGS("s", domain, "s", verb, "s", name, "s", value),
                                SD_BUS_RESULT("a{sv}", description),
                                method_run_challenge_hook,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("TestChallengeEvent",
                                SD_BUS_ARGS("s", domain, "s", type, "s", name),
                                SD_BUS_RESULT("a{sv}", description),
                                method_run_challenge_event,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int launcher_new(sd_bus *bus, const char *store_dir, uid_t manager_uid, Launcher **ret) {
        _cleanup_(launcher_freep) Launcher *l = NULL;
        int r;

        assert(bus);
        assert(store_dir);
        assert(ret);

        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l->bus = sd_bus_ref(bus);
        l->store_dir = store_dir;
        l->manager_uid = manager_uid;

        r = dns_memory_new(sd_bus_get_event(bus), &l->dns_memory);
        if (r < 0)
                return r;
        r = sd_bus_add_object_vtable(bus, &l->object, BUS_LAUNCHER_PATH, BUS_LAUNCHER_INTERFACE, vtable, l);
        if (r < 0)
                return r;
        r = unit_subscribe(bus);
        if (r < 0)
                return r;
        r = timers_count(l);
        if (r < 0)
                return r;

        *ret = take_ptr(l);
        return 0;
}

Launcher *launcher_free(Launcher *l) {
        if (!l)
                return NULL;

        while (l->requests)
                request_free(l->requests);
        sd_bus_slot_unref(l->object);
        sd_bus_unref(l->bus);
        configured_done(&l->configured);
        dns_memory_free(l->dns_memory);
        map_free(l->timers);
        free(l->known_caller);
        free(l);
        return NULL;
}

bool launcher_is_idle(void *launcher) {
        const Launcher *l = launcher;

        return l->n_requests == 0 && dns_memory_is_empty(l->dns_memory);
}
