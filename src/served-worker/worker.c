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
#include "bus/worker-client.h"
#include "served-worker/look.h"

#define TIME_DEFAULT_USEC (30 * USEC_PER_SEC)

enum { LOOKS_LOW = 64 }; /* with fewer at hand, the manager is asked for more */

#define _auto_message_ _cleanup_(sd_bus_message_unrefp)

typedef struct Worker {
        WorkerClient client;
        uint64_t time_usec;
        Looker *looker;
        bool all; /* the manager has no more */
        unsigned right, wrong;
} Worker;

static void worker_done(Worker *w) {
        looker_free(w->looker);
        worker_client_done(&w->client);
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

        r = worker_client_new_call(&w->client, "ServedNext", &m);
        if (r >= 0)
                r = worker_client_call(&w->client, m, &reply);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(tasqssas)");
        if (r < 0)
                return r;
        while ((r = read_look(w, reply)) > 0)
                n++;
        w->all = n == 0;
        return r < 0 ? log_failure(r, "Cannot read what is to be looked at: %m") : 0;
}

static int on_end(uint64_t token, const char *fingerprint, const char *where, const char *why, void *userdata) {
        Worker *w = userdata;
        _auto_message_ sd_bus_message *m = NULL;
        int r;

        *(str_is_empty(why) ? &w->right : &w->wrong) += 1;
        r = worker_client_new_call(&w->client, "ServedSeen", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "tsss", token, fingerprint, where, why);
        return r < 0 ? r : worker_client_call(&w->client, m, NULL);
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

int worker_run(void) {
        _cleanup_(worker_done) Worker w = { .time_usec = TIME_DEFAULT_USEC };
        _auto_message_ sd_bus_message *job = NULL;
        int r;

        if (worker_client_connect(&w.client, "md-served") < 0)
                return EX_TEMPFAIL;
        r = worker_client_open(&w.client, &job);
        if (r == WORKER_CLIENT_E_NOTHING_TO_DO) {
                log_debug("Nothing is to be looked at.");
                return EXIT_SUCCESS;
        }
        if (r >= 0) {
                r = read_details(&w, job);
                if (r < 0)
                        (void) log_failure(r, "Cannot read the job: %m");
        }
        if (r >= 0)
                r = looker_new(w.time_usec, on_end, &w, &w.looker);
        if (r >= 0)
                r = work(&w);
        if (r >= 0)
                r = worker_client_close(&w.client);
        if (r < 0)
                return w.client.manager ? EX_TEMPFAIL : EXIT_FAILURE; /* told where it happened; the manager asks again */
        log_info("Looked at %u certificate%s that servers show; %u were not the expected ones.", w.right + w.wrong, w.right + w.wrong == 1 ? "" : "s", w.wrong);
        return EXIT_SUCCESS;
}
