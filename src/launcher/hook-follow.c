/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/hook-follow.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "bus/unit-name.h"
#include "launcher/hook-output.h"
#include "launcher/hook-place.h"
#include "launcher/request.h"

#define SERVICE_INTERFACE "org.freedesktop.systemd1.Service"
#define EVERY_INTERFACE ""
#define TEST_PREFIX "Test" /* of the methods that do the same as those with "Run", and describe it */

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

/* Whether a property tells what a hook was: systemd's names, which describe the unit with all its drop-ins. */
static bool describes(const char *name) {
        static const char *const names[] = {
                "Id", "DropInPaths", "User", "Group", "ExecStart", "Environment", "StandardInputData", "TimeoutStartUSec", "MemoryMax", "Result", "ExecMainCode", "ExecMainStatus",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (str_equal(names[i], name))
                        return true;
        return false;
}

static int copy_property(sd_bus_message *m, sd_bus_message *reply) {
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        if (!describes(name))
                return sd_bus_message_skip(m, "v");
        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", name);
        if (r >= 0)
                r = sd_bus_message_copy(reply, m, false);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int copy_properties(sd_bus_message *m, sd_bus_message *reply) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = copy_property(m, reply);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

static int append_output(sd_bus_message *reply, const char *unit) {
        _auto_strv_ char **lines = NULL;
        int r = hook_output_read(unit, &lines);

        if (r < 0) {
                (void) log_failure(r, "Cannot read in the journal what %s printed: %m", unit);
                return 0;
        }
        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", "Output");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(reply, lines);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int answer_described(const Request *q) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_rewind(q->description, true);
        if (r >= 0)
                r = sd_bus_message_new_method_return(q->call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = copy_properties(q->description, reply);
        if (r >= 0)
                r = append_output(reply, q->unit);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* What it printed can be read now. */
static void on_synced(void *userdata) {
        Request *q = userdata;
        int r = answer_described(q);

        if (r < 0)
                (void) log_failure(r, "Cannot answer the request for %s: %m", q->unit);
        request_free(q);
}

static void describe(Request *q, sd_bus_message *m) {
        int r;

        q->description = sd_bus_message_ref(m);
        r = journal_sync_new(sd_bus_get_event(q->launcher->bus), on_synced, q, &q->sync);
        if (r >= 0)
                return;
        (void) log_failure(r, "Cannot ask systemd-journald to take in what %s printed: %m", q->unit);
        on_synced(q);
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
        if (q->described) {
                describe(q, m);
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
                                        q->described ? EVERY_INTERFACE : SERVICE_INTERFACE);
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

int hook_follow(Launcher *l, sd_bus_message *call, const char *what, HookUnit *hook) {
        _cleanup_(request_freep) Request *q = NULL;
        int r;

        r = request_new(l, call, unit_name_for_hook(what, hook->domain, hook_next_number(l)), &q);
        if (r < 0)
                return r;
        q->described = str_has_prefix(sd_bus_message_get_member(call), TEST_PREFIX);
        hook->followed = true;
        r = hook_unit_message(l, q->unit, hook, &q->start);
        if (r < 0)
                return r;
        r = hook_place_ask(q, begin);
        if (r < 0)
                return r;

        take_ptr(q);
        return 0;
}
