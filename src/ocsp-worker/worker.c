/* SPDX-License-Identifier: Apache-2.0 */
#include "ocsp-worker/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/worker-client.h"
#include "config.h"
#include "ocsp-worker/fetch.h"

#define EXCHANGE_TIMEOUT_USEC (30 * USEC_PER_SEC)

#define ASK_AGAIN_USEC (5 * USEC_PER_SEC) /* while there is something to wait for, what became due meanwhile is fetched along */

#define _auto_message_ _cleanup_(sd_bus_message_unrefp)

typedef struct Worker {
        WorkerClient client;
        Fetcher *fetcher;
        bool all;      /* the manager had no more … */
        uint64_t asked_usec; /* … then; monotonic */
        unsigned fetched, failed;
} Worker;

static void worker_done(Worker *w) {
        fetcher_free(w->fetcher);
        worker_client_done(&w->client);
}

static int read_request(Worker *w, sd_bus_message *m) {
        FetchRequest request = { 0 };
        int r, by_get;

        r = sd_bus_message_enter_container(m, 'r', "tsayaybss");
        if (r <= 0)
                return r;
        r = sd_bus_message_read(m, "ts", &request.token, &request.url);
        if (r >= 0)
                r = sd_bus_message_read_array(m, 'y', &request.post.data, &request.post.size);
        if (r >= 0)
                r = sd_bus_message_read_array(m, 'y', &request.get.data, &request.get.size);
        if (r >= 0)
                r = sd_bus_message_read(m, "bss", &by_get, &request.proxy, &request.proxy_ca_file);
        if (r < 0)
                return r;
        request.by_get = by_get;
        request.proxy = str_or(request.proxy, NULL);
        request.proxy_ca_file = str_or(request.proxy_ca_file, NULL);
        r = fetcher_add(w->fetcher, &request);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

static int take_more(Worker *w) {
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        unsigned n = 0;
        int r;

        r = worker_client_new_call(&w->client, "OcspNext", &m);
        if (r >= 0)
                r = worker_client_call(&w->client, m, &reply);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(tsayaybss)");
        while (r >= 0 && (r = read_request(w, reply)) > 0)
                n++;
        w->all = n == 0;
        w->asked_usec = clock_monotonic_usec();
        return r;
}

static int hand_over(Worker *w, const FetchAnswer *a) {
        _auto_message_ sd_bus_message *m = NULL;
        int r;

        r = worker_client_new_call(&w->client, "OcspResponse", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "t", a->token);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', a->data, a->size);
        if (r >= 0)
                r = sd_bus_message_append(m, "b", (int) a->by_get);
        return r < 0 ? r : worker_client_call(&w->client, m, NULL);
}

static int report(Worker *w, const FetchAnswer *a) {
        _auto_free_ char *problem = problem_to_argument(a->problem);
        _auto_message_ sd_bus_message *m = NULL;
        int r;

        r = problem ? worker_client_new_call(&w->client, "OcspFailed", &m) : -ENOMEM;
        if (r >= 0)
                r = sd_bus_message_append(m, "ts", a->token, problem);
        return r < 0 ? r : worker_client_call(&w->client, m, NULL);
}

static int on_answer(const FetchAnswer *a, void *userdata) {
        Worker *w = userdata;

        if (a->problem) {
                w->failed++;
                return report(w, a);
        }
        w->fetched++;
        return hand_over(w, a);
}

static bool is_to_ask(const Worker *w) {
        if (w->all && usec_sub(clock_monotonic_usec(), w->asked_usec) < ASK_AGAIN_USEC)
                return false;
        return fetcher_wants_more(w->fetcher);
}

static int work(Worker *w) {
        int r = 0;

        while (r >= 0 && !(w->all && fetcher_is_idle(w->fetcher))) {
                if (is_to_ask(w))
                        r = take_more(w);
                if (r >= 0)
                        r = fetcher_run(w->fetcher);
        }
        return r;
}

int worker_run(void) {
        _cleanup_(worker_done) Worker w = { 0 };
        _auto_message_ sd_bus_message *job = NULL;
        int r;

        if (worker_client_connect(&w.client, "md-ocsp") < 0)
                return EX_TEMPFAIL;
        r = worker_client_open(&w.client, &job);
        if (r == WORKER_CLIENT_E_NOTHING_TO_DO) {
                log_debug("Nothing is to be fetched.");
                return EXIT_SUCCESS;
        }
        if (r >= 0)
                r = fetcher_new("md-manager/" PROJECT_VERSION, EXCHANGE_TIMEOUT_USEC, on_answer, &w, &w.fetcher);
        if (r >= 0)
                r = work(&w);
        if (r >= 0)
                r = worker_client_close(&w.client);
        if (r < 0)
                return w.client.manager ? EX_TEMPFAIL : EXIT_FAILURE; /* told where it happened; the manager asks again */
        log_info("Fetched %u answer%s of OCSP responders and lists; %u failed.", w.fetched, w.fetched == 1 ? "" : "s", w.failed);
        return EXIT_SUCCESS;
}
