/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/worker-open.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "bus/unit.h"
#include "config.h"
#include "manager/adoption.h"
#include "manager/batch.h"
#include "manager/ocsp.h"
#include "manager/renewal.h"
#include "manager/served.h"

enum { OPENS_MAX = 64 }; /* Open() calls that are being looked at */

typedef struct OpenCall {
        Manager *manager;
        char *key;
        sd_bus_message *message;
        sd_bus_slot *credentials;
        sd_bus_slot *unit;
        char *waits; /* its unit, while it is not known yet what is configured; NULL: it does not wait */
} OpenCall;

static OpenCall *open_call_free(OpenCall *c) {
        if (!c)
                return NULL;
        if (c->key && map_get(c->manager->opens, c->key) == c)
                (void) map_remove(c->manager->opens, c->key);
        sd_bus_slot_unref(c->credentials);
        sd_bus_slot_unref(c->unit);
        sd_bus_message_unref(c->message);
        free(c->key);
        free(c->waits);
        free(c);
        return NULL;
}

void worker_open_drop_all(Manager *m) {
        const char *key;
        OpenCall *c;

        if (m->opens)
                MAP_FOREACH(m->opens, key, c)
                        open_call_free(c);
}

static void refuse_open(OpenCall *c, const char *name, const char *text) {
        log_warning("Refused a worker's Open() from %s: %s", str_or(sd_bus_message_get_sender(c->message), "somebody"), text);
        (void) sd_bus_reply_method_errorf(c->message, name, "%s", text);
        open_call_free(c);
}

static void open_renewal(OpenCall *c, Domain *d) {
        if (!d->renewal)
                domain_evaluate(d);
        if (!d->renewal || task_is_local(&d->renewal->task)) { /* the timer that started the worker has done its work */
                (void) sd_bus_reply_method_errorf(c->message, BUS_ERROR_NOTHING_TO_DO, "%s: Nothing is due", DOMAIN_NAME(d));
                open_call_free(c);
                return;
        }
        if (d->renewal->task.open || d->renewal->task.sender || d->renewal->task.batch) {
                refuse_open(c, BUS_ERROR_BUSY, "another worker has this job");
                return;
        }
        task_open(&d->renewal->task, c->message);
        open_call_free(c);
}

static void open_for_unit(OpenCall *c, const char *unit) {
        Manager *m = c->manager;
        Domain *d = map_get(m->units, unit);

        /* It may have asked twice: the first question was answered meanwhile. */
        if (map_get(m->workers, sd_bus_message_get_sender(c->message))) {
                refuse_open(c, BUS_ERROR_NOT_NOW, "this connection has a job open");
                return;
        }
        if (str_equal(unit, OCSP_UNIT)) {
                ocsp_open(m, c->message);
                open_call_free(c);
                return;
        }
        if (str_equal(unit, SERVED_UNIT)) {
                served_open(m, c->message);
                open_call_free(c);
                return;
        }
        if (batch_is_unit(unit)) {
                batch_open(m, unit, c->message);
                open_call_free(c);
                return;
        }
        if (!d || !d->managed) {
                refuse_open(c, BUS_ERROR_NO_SUCH_DOMAIN, "its unit stands for no domain that a server configures");
                return;
        }
        open_renewal(c, d);
}

static void on_unit(const char *unit, const sd_bus_error *error, void *userdata) {
        OpenCall *c = userdata;

        if (!unit)
                refuse_open(c, BUS_ERROR_NOT_ALLOWED, error && error->message ? error->message : "systemd does not know its unit");
        else if (!adoption_is_running(c->manager->adoption))
                open_for_unit(c, unit);
        else if (str_replace(&c->waits, unit) < 0)
                refuse_open(c, BUS_ERROR_FAILED, "out of memory");
}

void worker_open_go_on(Manager *m) {
        const char *key;
        OpenCall *c;

        MAP_FOREACH(m->opens, key, c) {
                _auto_free_ char *unit = take_ptr(c->waits);

                if (unit)
                        open_for_unit(c, unit);
        }
}

static int read_credentials(sd_bus_message *reply, uid_t *ret_uid, pid_t *ret_pid) {
        bool have_uid = false, have_pid = false;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                const char *key;
                uint32_t value;

                r = sd_bus_message_read(reply, "s", &key);
                if (r >= 0 && (str_equal(key, "UnixUserID") || str_equal(key, "ProcessID"))) {
                        r = sd_bus_message_read(reply, "v", "u", &value);
                        if (r >= 0 && key[0] == 'U') {
                                *ret_uid = value;
                                have_uid = true;
                        } else if (r >= 0) {
                                *ret_pid = (pid_t) value;
                                have_pid = true;
                        }
                } else if (r >= 0)
                        r = sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : have_uid && have_pid ? 0 : -ENODATA;
}

static int on_credentials(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        OpenCall *c = userdata;
        uid_t uid = (uid_t) -1;
        pid_t pid = 0;
        int r;

        r = sd_bus_message_is_method_error(reply, NULL) ? -EACCES : read_credentials(reply, &uid, &pid);
        if (r < 0) {
                refuse_open(c, BUS_ERROR_NOT_ALLOWED, "the bus does not know who that is");
                return 0;
        }
        if (uid != c->manager->acme_uid) {
                refuse_open(c, BUS_ERROR_NOT_ALLOWED, "only user " ACME_USER " may do the workers' work");
                return 0;
        }
        if (pid <= 0) { /* from another PID namespace */
                refuse_open(c, BUS_ERROR_NOT_ALLOWED, "its process is not known here");
                return 0;
        }
        r = unit_of_pid(c->manager->bus, pid, &c->unit, on_unit, c, NULL);
        if (r < 0)
                refuse_open(c, BUS_ERROR_FAILED, "systemd cannot be asked");
        return 0;
}

int worker_open(Manager *m, sd_bus_message *call, sd_bus_error *error) {
        OpenCall *c;
        int r;

        if (map_get(m->workers, sd_bus_message_get_sender(call)))
                return sd_bus_error_set(error, BUS_ERROR_NOT_NOW, "This connection has a job open");
        if (map_size(m->opens) >= OPENS_MAX)
                return sd_bus_error_set(error, BUS_ERROR_BUSY, "Too many workers at a time");
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->manager = m;
        c->message = sd_bus_message_ref(call);
        c->key = str_printf("%p", (void *) c);
        r = c->key ? map_put(m->opens, c->key, c) : -ENOMEM;
        if (r >= 0)
                r = sd_bus_call_method_async(m->bus, &c->credentials, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                             "GetConnectionCredentials", on_credentials, c, "s", sd_bus_message_get_sender(call));
        if (r < 0) {
                open_call_free(c);
                return r;
        }
        return 1;
}

