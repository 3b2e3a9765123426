/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/launcher-client.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"

/* The launcher may have to be started, and an old timer to be gone. */
#define CALL_TIMEOUT_USEC (90 * USEC_PER_SEC)

typedef struct Call {
        char *unit; /* what the answer names; NULL: it is in the answer */
        LauncherHandler handler;
        void *userdata;
} Call;

static Call *call_free(Call *call) {
        if (!call)
                return NULL;
        free(call->unit);
        free(call);
        return NULL;
}
DEFINE_CLEANUP(Call *, call_free)

static void call_destroy(void *userdata) {
        call_free(userdata);
}

static void fail(Call *call, int error) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

        (void) sd_bus_error_set_errno(&e, error);
        call->handler(NULL, &e, call->userdata);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Call *call = userdata;
        const char *unit = call->unit;
        int r;

        if (sd_bus_message_is_method_error(m, NULL)) {
                call->handler(NULL, sd_bus_message_get_error(m), call->userdata);
                return 0;
        }

        if (!unit) {
                r = sd_bus_message_read(m, "s", &unit);
                if (r < 0) {
                        fail(call, r);
                        return 0;
                }
        }
        call->handler(unit, NULL, call->userdata);
        return 0;
}

static int new_message(sd_bus *bus, const char *method, sd_bus_message **ret) {
        return sd_bus_message_new_method_call(bus, ret, BUS_LAUNCHER_NAME, BUS_LAUNCHER_PATH, BUS_LAUNCHER_INTERFACE, method);
}

static int send_call(sd_bus *bus, sd_bus_message *m, const char *unit, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata) {
        _cleanup_(call_freep) Call *call = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        int r;

        call = malloc(sizeof(*call));
        if (!call)
                return -ENOMEM;
        *call = (Call) { .handler = handler, .userdata = userdata };

        r = str_replace(&call->unit, unit);
        if (r < 0)
                return r;

        r = sd_bus_call_async(bus, &slot, m, on_answer, call, CALL_TIMEOUT_USEC);
        if (r < 0)
                return r;
        r = sd_bus_slot_set_destroy_callback(slot, call_destroy);
        if (r < 0)
                return r;
        take_ptr(call);

        if (ret_slot) {
                *ret_slot = take_ptr(slot);
                return 0;
        }
        r = sd_bus_slot_set_floating(slot, 1);
        return r < 0 ? r : 0;
}

int launcher_arm_timer(sd_bus *bus, const char *domain, uint64_t when_usec, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        assert(bus);
        assert(domain);
        assert(handler);

        r = new_message(bus, "ArmTimer", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "st", domain, when_usec);
        if (r < 0)
                return r;
        return send_call(bus, m, NULL, ret_slot, handler, userdata);
}

int launcher_arm_ocsp(sd_bus *bus, uint64_t when_usec, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        assert(bus);
        assert(handler);

        r = new_message(bus, "ArmOcsp", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "t", when_usec);
        if (r < 0)
                return r;
        return send_call(bus, m, NULL, ret_slot, handler, userdata);
}

int launcher_arm_reload(sd_bus *bus, const char *calendar, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        assert(bus);
        assert(calendar);
        assert(handler);

        r = new_message(bus, "ArmReload", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", calendar);
        if (r < 0)
                return r;
        return send_call(bus, m, NULL, ret_slot, handler, userdata);
}

int launcher_cancel(sd_bus *bus, const char *unit, sd_bus_slot **ret_slot, LauncherHandler handler, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        assert(bus);
        assert(unit);
        assert(handler);

        r = new_message(bus, "Cancel", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", unit);
        if (r < 0)
                return r;
        return send_call(bus, m, unit, ret_slot, handler, userdata);
}

static int append_fields(sd_bus_message *m, char *const *fields) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{ss}");
        if (r < 0)
                return r;
        for (; fields && fields[0] && fields[1]; fields += 2) {
                r = sd_bus_message_append(m, "{ss}", fields[0], fields[1]);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}

/* Hooks that are followed to their end */

typedef struct HookCall {
        LauncherHookHandler handler;
        void *userdata;
} HookCall;

static int on_end(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        HookCall *call = userdata;
        LauncherHookEnd end = { 0 };
        int r;

        if (sd_bus_message_is_method_error(m, NULL)) {
                call->handler(NULL, sd_bus_message_get_error(m), call->userdata);
                return 0;
        }
        r = sd_bus_message_read(m, "ssii", &end.unit, &end.result, &end.code, &end.status);
        if (r < 0) {
                (void) sd_bus_error_set_errno(&e, r);
                call->handler(NULL, &e, call->userdata);
        } else
                call->handler(&end, NULL, call->userdata);
        return 0;
}

static int send_hook_call(sd_bus *bus, sd_bus_message *m, sd_bus_slot **ret_slot, LauncherHookHandler handler, void *userdata) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        _auto_free_ HookCall *call = malloc(sizeof(*call));
        int r;

        if (!call)
                return -ENOMEM;
        *call = (HookCall) { .handler = handler, .userdata = userdata };
        r = sd_bus_call_async(bus, &slot, m, on_end, call, LAUNCHER_HOOK_TIMEOUT_USEC);
        if (r < 0)
                return r;
        r = sd_bus_slot_set_destroy_callback(slot, free);
        if (r < 0)
                return r;
        take_ptr(call);
        *ret_slot = take_ptr(slot);
        return 0;
}

int launcher_run_event(sd_bus *bus, const char *domain, const char *event, const char *command, char *const *fields, sd_bus_slot **ret_slot, LauncherHookHandler handler, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        assert(bus);
        assert(ret_slot);
        assert(handler);

        r = new_message(bus, "RunEvent", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "sss", domain, event, command);
        if (r < 0)
                return r;
        r = append_fields(m, fields);
        if (r < 0)
                return r;
        return send_hook_call(bus, m, ret_slot, handler, userdata);
}

int launcher_run_challenge_hook(sd_bus *bus, const char *domain, const char *verb, const char *name, const char *value, sd_bus_slot **ret_slot, LauncherHookHandler handler, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        assert(bus);
        assert(ret_slot);
        assert(handler);

        r = new_message(bus, "RunChallengeHook", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "ssss", domain, verb, name, value);
        if (r < 0)
                return r;
        return send_hook_call(bus, m, ret_slot, handler, userdata);
}

int launcher_run_challenge_event(sd_bus *bus, const char *domain, const char *type, const char *name, sd_bus_slot **ret_slot, LauncherHookHandler handler, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        assert(bus);
        assert(ret_slot);
        assert(handler);

        r = new_message(bus, "RunChallengeEvent", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "sss", domain, type, name);
        if (r < 0)
                return r;
        return send_hook_call(bus, m, ret_slot, handler, userdata);
}

int launcher_test_hook(sd_bus *bus, const char *method, char *const *words, char *const *fields, sd_bus_slot **ret_slot, sd_bus_message_handler_t handler, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        assert(bus);
        assert(ret_slot);
        assert(handler);

        r = new_message(bus, method, &m);
        STRV_FOREACH(word, words)
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", *word);
        if (r >= 0 && fields)
                r = append_fields(m, fields);
        return r < 0 ? r : sd_bus_call_async(bus, ret_slot, m, handler, userdata, LAUNCHER_HOOK_TIMEOUT_USEC);
}
