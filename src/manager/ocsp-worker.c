/* SPDX-License-Identifier: Apache-2.0 */

/* What md-ocsp may ask of the manager. It gets the bytes of requests and brings those of responses. */

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "config.h"
#include "manager/ocsp-internal.h"
#include "manager/worker-bus.h"

enum { TOGETHER_MAX = 128 }; /* requests in one answer */

void ocsp_open(Manager *m, sd_bus_message *open) {
        Ocsp *o = m->ocsp;
        int r;

        o->opened = true;
        if (o->worker || !ocsp_first_due(o)) {
                (void) sd_bus_reply_method_errorf(open, o->worker ? BUS_ERROR_BUSY : BUS_ERROR_NOTHING_TO_DO, "%s",
                                                  o->worker ? "Another worker has this job" : "No OCSP response is due");
                return;
        }
        r = str_replace(&o->worker, sd_bus_message_get_sender(open));
        if (r >= 0) {
                ocsp_follow(o); /* also one that a timer or somebody started */
                r = sd_bus_reply_method_return(open, "osa{sv}", BUS_PATH_WORKER, "", 2, "kind", "s", "ocsp", "user-agent", "s", "md-manager/" PROJECT_VERSION);
        }
        if (r < 0)
                (void) sd_bus_reply_method_errno(open, r, NULL);
}

static Ocsp *ocsp_of_worker(Manager *m, sd_bus_message *call, sd_bus_error *error) {
        if (m->ocsp->worker && str_equal(m->ocsp->worker, sd_bus_message_get_sender(call)))
                return m->ocsp;
        (void) sd_bus_error_set(error, BUS_ERROR_NOT_ALLOWED, "This connection does not fetch OCSP responses");
        return NULL;
}

static int append_item(sd_bus_message *reply, const OcspItem *i) {
        int r;

        r = sd_bus_message_open_container(reply, 'r', "tsaybss");
        if (r >= 0)
                r = sd_bus_message_append(reply, "ts", i->token, i->url);
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', i->request, i->request_size);
        if (r >= 0)
                r = sd_bus_message_append(reply, "bss", (int) i->by_get, str_or(i->proxy_url, ""), str_or(i->proxy_ca_file, ""));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_due(Ocsp *o, sd_bus_message *reply) {
        uint64_t now = clock_now_usec();
        unsigned n = 0;
        const char *id;
        OcspItem *i;

        MAP_FOREACH(o->items, id, i) {
                int r;

                if (n >= TOGETHER_MAX)
                        break;
                if (!ocsp_item_is_due(i, now))
                        continue;
                r = ocsp_item_ask(i, ++o->last_token);
                if (r >= 0)
                        r = append_item(reply, i);
                if (r < 0)
                        return r;
                n++;
        }
        return 0;
}

int ocsp_worker_next(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Ocsp *o = ocsp_of_worker(userdata, call, error);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (!o)
                return -EACCES;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(tsaybss)");
        if (r >= 0)
                r = append_due(o, reply);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static OcspItem *find_asked(const Ocsp *o, uint64_t token) {
        const char *id;
        OcspItem *i;

        MAP_FOREACH(o->items, id, i)
                if (i->request && i->token == token)
                        return i;
        return NULL;
}

int ocsp_worker_response(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Ocsp *o = ocsp_of_worker(userdata, call, error);
        const void *der;
        uint64_t token;
        size_t size;
        OcspItem *i;
        int r, by_get;

        if (!o)
                return -EACCES;
        r = sd_bus_message_read(call, "t", &token);
        if (r >= 0)
                r = sd_bus_message_read_array(call, 'y', &der, &size);
        if (r >= 0)
                r = sd_bus_message_read(call, "b", &by_get);
        if (r < 0)
                return r;
        i = find_asked(o, token);
        if (i) { /* nobody may want it any more */
                i->by_get = by_get;
                ocsp_item_answered(i, der, size);
                ocsp_item_changed(i);
        }
        return sd_bus_reply_method_return(call, NULL);
}

int ocsp_worker_failed(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Ocsp *o = ocsp_of_worker(userdata, call, error);
        _auto_problem_ Problem *p = NULL;
        const char *text;
        uint64_t token;
        OcspItem *i;
        int r;

        if (!o)
                return -EACCES;
        r = sd_bus_message_read(call, "ts", &token, &text);
        if (r < 0)
                return r;
        if (problem_from_argument(text, &p) < 0 || !p)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no problem");
        i = find_asked(o, token);
        if (i) {
                ocsp_item_failed(i, p);
                ocsp_item_changed(i);
        }
        return sd_bus_reply_method_return(call, NULL);
}
