/* SPDX-License-Identifier: Apache-2.0 */
#include "served-worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "served-worker/look.h"

#define CALL_TIMEOUT_USEC (90 * USEC_PER_SEC)
#define TIME_DEFAULT_USEC (30 * USEC_PER_SEC)

enum { LOOKS_LOW = 64 }; /* with fewer at hand, the manager is asked for more */

#define _auto_message_ _cleanup_(sd_bus_message_unrefp)
#define _auto_error_ _cleanup_(sd_bus_error_free)

typedef struct Worker {
        sd_bus *bus;
        char *manager; /* the unique name of the process that gave us the job: one that comes after it knows nothing of us */
        uint64_t time_usec;
        Looker *looker;
        bool all; /* the manager has no more */
        unsigned right, wrong;
} Worker;

static void worker_done(Worker *w) {
        looker_free(w->looker);
        sd_bus_flush_close_unref(w->bus);
        free(w->manager);
}

static int new_call(Worker *w, const char *member, sd_bus_message **ret) {
        return sd_bus_message_new_method_call(w->bus, ret, str_or(w->manager, BUS_NAME), BUS_PATH_WORKER, BUS_INTERFACE_WORKER, member);
}

static int call(Worker *w, sd_bus_message *m, sd_bus_message **ret_reply) {
        _auto_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call(w->bus, m, CALL_TIMEOUT_USEC, &error, ret_reply);

        return r < 0 ? log_failure(r, "%s: %s", sd_bus_message_get_member(m), str_or(error.message, strerror(-r))) : 0;
}

static int read_details(Worker *w, sd_bus_message *m) {
        const char *key;
        int r;

        r = sd_bus_message_skip(m, "os");
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0)
                        r = str_equal(key, "time") ? sd_bus_message_read(m, "v", "t", &w->time_usec) : sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

enum { OPEN_E_NOTHING_TO_DO = 1 };

static int open_job(Worker *w) {
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        _auto_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = new_call(w, "Open", &m);
        if (r < 0)
                return r;
        r = sd_bus_call(w->bus, m, CALL_TIMEOUT_USEC, &error, &reply);
        if (sd_bus_error_has_name(&error, BUS_ERROR_NOTHING_TO_DO))
                return OPEN_E_NOTHING_TO_DO;
        if (r < 0)
                return log_failure(r, "There is no job from the manager: %s", str_or(error.message, strerror(-r)));
        r = read_details(w, reply);
        if (r < 0)
                return log_failure(r, "Cannot read the job: %m");
        return str_replace(&w->manager, sd_bus_message_get_sender(reply));
}

static int read_look(Worker *w, sd_bus_message *m) {
        _auto_strv_ char **addresses = NULL, **expected = NULL;
        LookRequest q = { 0 };
        int r;

        r = sd_bus_message_enter_container(m, 'r', "tasqssas");
        if (r <= 0)
                return r;
        r = sd_bus_message_read(m, "t", &q.token);
        if (r >= 0)
                r = sd_bus_message_read_strv(m, &addresses);
        if (r >= 0)
                r = sd_bus_message_read(m, "qss", &q.port, &q.name, &q.kind);
        if (r >= 0)
                r = sd_bus_message_read_strv(m, &expected);
        if (r < 0)
                return r;
        q.addresses = addresses;
        q.expected = expected;
        r = looker_add(w->looker, &q);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

static int take_more(Worker *w) {
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        unsigned n = 0;
        int r;

        r = new_call(w, "ServedNext", &m);
        if (r >= 0)
                r = call(w, m, &reply);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(tasqssas)");
        while (r >= 0 && (r = read_look(w, reply)) > 0)
                n++;
        w->all = n == 0;
        return r;
}

static int on_end(uint64_t token, const char *fingerprint, const char *where, const char *why, void *userdata) {
        Worker *w = userdata;
        _auto_message_ sd_bus_message *m = NULL;
        int r;

        *(str_is_empty(why) ? &w->right : &w->wrong) += 1;
        r = new_call(w, "ServedSeen", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "tsss", token, fingerprint, where, why);
        return r < 0 ? r : call(w, m, NULL);
}

static int work(Worker *w) {
        int r = 0;

        while (r >= 0 && !(w->all && looker_count(w->looker) == 0)) {
                if (!w->all && looker_count(w->looker) < LOOKS_LOW)
                        r = take_more(w);
                if (r >= 0)
                        r = looker_run(w->looker);
        }
        return r;
}

static int close_job(Worker *w) {
        _auto_message_ sd_bus_message *m = NULL;
        int r;

        r = new_call(w, "Close", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "");
        return r < 0 ? r : call(w, m, NULL);
}

int worker_run(void) {
        _cleanup_(worker_done) Worker w = { .time_usec = TIME_DEFAULT_USEC };
        int r;

        r = sd_bus_open_system_with_description(&w.bus, "md-served");
        if (r < 0) {
                (void) log_failure(r, "Cannot connect to the system bus: %m");
                return EX_TEMPFAIL;
        }
        r = open_job(&w);
        if (r == OPEN_E_NOTHING_TO_DO) {
                log_debug("Nothing is to be looked at.");
                return EXIT_SUCCESS;
        }
        if (r >= 0)
                r = looker_new(w.time_usec, on_end, &w, &w.looker);
        if (r >= 0)
                r = work(&w);
        if (r >= 0)
                r = close_job(&w);
        if (r < 0)
                return w.manager ? EX_TEMPFAIL : EXIT_FAILURE; /* told where it happened; the manager asks again */
        log_info("Looked at %u certificate%s that servers show; %u were not the expected ones.", w.right + w.wrong, w.right + w.wrong == 1 ? "" : "s", w.wrong);
        return EXIT_SUCCESS;
}
