/* SPDX-License-Identifier: Apache-2.0 */

/* What md-ocsp may ask of the manager. It gets the bytes of requests and brings those of responses. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "config.h"
#include "manager/ocsp-internal.h"
#include "manager/worker-bus.h"

enum { TOGETHER_MAX = 128 }; /* requests in one answer */

#define REQUEST_SIGNATURE "tsayaybss"

void ocsp_open(Manager *m, sd_bus_message *open) {
        Ocsp *o = m->ocsp;
        OcspItem *due;
        int r;

        if (worker_seat_is_taken(&o->seat) || !ocsp_is_due(o, &due)) {
                bool taken = worker_seat_is_taken(&o->seat);

                o->asked = true;
                (void) sd_bus_reply_method_errorf(open, taken ? BUS_ERROR_BUSY : BUS_ERROR_NOTHING_TO_DO, "%s",
                                                  taken ? "Another worker has this job" : "No OCSP response is due");
                return;
        }
        r = ocsp_take_worker(o, open);
        if (r >= 0)
                r = sd_bus_reply_method_return(open, "osa{sv}", BUS_PATH_WORKER, "", 2, "kind", "s", "ocsp", "user-agent", "s", "md-manager/" PROJECT_VERSION);
        if (r < 0)
                (void) sd_bus_reply_method_errno(open, r, NULL);
}

static Ocsp *ocsp_of_worker(Manager *m, sd_bus_message *call, sd_bus_error *error) {
        if (worker_seat_is_of(&m->ocsp->seat, call))
                return m->ocsp;
        (void) sd_bus_error_set(error, BUS_ERROR_NOT_ALLOWED, "This connection does not fetch OCSP responses");
        return NULL;
}

typedef char Token[24];

static const char *token_text(uint64_t token, Token buffer) {
        (void) snprintf(buffer, sizeof(Token), "%" PRIu64, token);
        return buffer;
}

void ocsp_forget_asked(Ocsp *o, uint64_t token) {
        Token buffer;

        (void) map_remove(o->asked_items, token_text(token, buffer));
}

typedef struct Wish {
        const char *url, *proxy_url, *proxy_ca_file;
        OcspRequest post, get; /* both empty: what lies at the URL is wanted */
        bool by_get;
} Wish;

static int append(sd_bus_message *reply, uint64_t token, const Wish *w) {
        int r;

        r = sd_bus_message_open_container(reply, 'r', REQUEST_SIGNATURE);
        if (r >= 0)
                r = sd_bus_message_append(reply, "ts", token, w->url);
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', w->post.der, w->post.size);
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', w->get.der, w->get.size);
        if (r >= 0)
                r = sd_bus_message_append(reply, "bss", (int) w->by_get, str_or(w->proxy_url, ""), str_or(w->proxy_ca_file, ""));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* As the servers say that staple it; otherwise as its domain does. */
static int append_item(Ocsp *o, sd_bus_message *reply, OcspItem *i) {
        const Domain *d = i->offered ? NULL : manager_find_domain(o->manager, i->names[0]);
        Wish w = { .url = i->url, .proxy_url = d ? d->config->proxy_url : i->proxy_url, .proxy_ca_file = d ? d->config->proxy_ca_file : i->proxy_ca_file, .by_get = i->by_get };
        Token token;
        int r;

        r = ocsp_item_ask(i, ++o->last_token);
        if (r >= 0)
                r = map_put(o->asked_items, token_text(i->token, token), i);
        if (r < 0) {
                ocsp_item_forget_request(i);
                return r;
        }
        w.post = i->by_post;
        w.get = i->by_get_request;
        return append(reply, i->token, &w);
}

static int append_crl(Ocsp *o, sd_bus_message *reply, CrlItem *c) {
        Wish w = { .url = c->url, .by_get = true };
        const Domain *d = NULL;
        const char *name;
        Token token;
        void *mark;
        int r;

        MAP_FOREACH(c->domains, name, mark)
                if (!d)
                        d = manager_find_domain(o->manager, name);
        if (d) {
                w.proxy_url = d->config->proxy_url;
                w.proxy_ca_file = d->config->proxy_ca_file;
        }
        r = map_put(o->asked_crls, token_text(o->last_token + 1, token), c);
        if (r < 0)
                return r;
        c->token = ++o->last_token;
        return append(reply, c->token, &w);
}

/* First those for which there is nothing to staple any more. */
static int append_responses(Ocsp *o, sd_bus_message *reply, unsigned *n) {
        uint64_t now = clock_now_usec();
        const char *id;
        OcspItem *i;

        for (unsigned good = 0; good < 2; good++)
                MAP_FOREACH(o->items, id, i) {
                        int r;

                        if (*n >= TOGETHER_MAX)
                                return 0;
                        if (ocsp_item_is_good(i, now) != good || !ocsp_item_is_due(i, now))
                                continue;
                        r = append_item(o, reply, i);
                        if (r < 0)
                                return r;
                        ++*n;
                }
        return 0;
}

static int append_due(Ocsp *o, sd_bus_message *reply) {
        uint64_t now = clock_now_usec();
        unsigned n = 0;
        const char *url;
        CrlItem *c;
        int r = append_responses(o, reply, &n);

        MAP_FOREACH(o->crls, url, c) {
                if (r < 0 || n >= TOGETHER_MAX)
                        return r;
                if (!crl_item_is_due(c, now))
                        continue;
                r = append_crl(o, reply, c);
                n++;
        }
        return r;
}

int ocsp_worker_next(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Ocsp *o = ocsp_of_worker(userdata, call, error);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (!o)
                return -EACCES;
        o->asked = true;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(" REQUEST_SIGNATURE ")");
        if (r >= 0)
                r = append_due(o, reply);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static void take_asked(Ocsp *o, uint64_t token, OcspItem **ret_item, CrlItem **ret_crl) {
        Token text;

        *ret_item = map_remove(o->asked_items, token_text(token, text));
        *ret_crl = *ret_item ? NULL : map_remove(o->asked_crls, text);
}

int ocsp_worker_response(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Ocsp *o = ocsp_of_worker(userdata, call, error);
        const void *data;
        uint64_t token;
        size_t size;
        OcspItem *i;
        CrlItem *c;
        int r, by_get;

        if (!o)
                return -EACCES;
        r = sd_bus_message_read(call, "t", &token);
        if (r >= 0)
                r = sd_bus_message_read_array(call, 'y', &data, &size);
        if (r >= 0)
                r = sd_bus_message_read(call, "b", &by_get);
        if (r < 0)
                return r;
        take_asked(o, token, &i, &c); /* nobody may want it any more */
        if (i) {
                i->by_get = by_get;
                ocsp_item_answered(i, data, size, by_get);
                ocsp_item_changed(i);
        } else if (c)
                crl_item_answered(c, data, size);
        return sd_bus_reply_method_return(call, NULL);
}

int ocsp_worker_failed(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Ocsp *o = ocsp_of_worker(userdata, call, error);
        _auto_problem_ Problem *p = NULL;
        const char *text;
        uint64_t token;
        OcspItem *i;
        CrlItem *c;
        int r;

        if (!o)
                return -EACCES;
        r = sd_bus_message_read(call, "ts", &token, &text);
        if (r < 0)
                return r;
        if (problem_from_argument(text, &p) < 0 || !p)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no problem");
        take_asked(o, token, &i, &c);
        if (i) {
                ocsp_item_failed(i, p);
                ocsp_item_changed(i);
        } else if (c)
                crl_item_failed(c, p);
        return sd_bus_reply_method_return(call, NULL);
}
