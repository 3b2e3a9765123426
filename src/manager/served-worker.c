/* SPDX-License-Identifier: Apache-2.0 */

/* What md-served may ask of the manager. It gets addresses, names and fingerprints, and brings fingerprints; what is right is decided here. */

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "manager/served-internal.h"
#include "manager/worker-bus.h"

enum {
        TOGETHER_MAX = 128, /* in one answer, and what the last domain has beyond that */
        TEXT_MAX = 300,
};

void served_open(Manager *m, sd_bus_message *open) {
        Served *s = m->served;
        int r;

        s->opened = true;
        if (worker_seat_is_taken(&s->seat) || !served_first_due(s)) {
                bool taken = worker_seat_is_taken(&s->seat);

                (void) sd_bus_reply_method_errorf(open, taken ? BUS_ERROR_BUSY : BUS_ERROR_NOTHING_TO_DO, "%s",
                                                  taken ? "Another worker has this job" : "Nothing is to be looked at");
                return;
        }
        r = served_take_worker(s, open);
        if (r >= 0)
                r = sd_bus_reply_method_return(open, "osa{sv}", BUS_PATH_WORKER, "", 2, "kind", "s", "served", "time", "t", m->settings.served_timeout_usec);
        if (r < 0)
                (void) sd_bus_reply_method_errno(open, r, NULL);
}

static Served *served_of_worker(Manager *m, sd_bus_message *call, sd_bus_error *error) {
        if (worker_seat_is_of(&m->served->seat, call))
                return m->served;
        (void) sd_bus_error_set(error, BUS_ERROR_NOT_ALLOWED, "This connection does not look at what is served");
        return NULL;
}

static int append_target(sd_bus_message *reply, const ServedTarget *t) {
        int r;

        r = sd_bus_message_open_container(reply, 'r', "tasqssas");
        if (r >= 0)
                r = sd_bus_message_append(reply, "t", t->token);
        if (r >= 0)
                r = sd_bus_message_append_strv(reply, t->addresses);
        if (r >= 0)
                r = sd_bus_message_append(reply, "qss", t->port, str_or(t->name, ""), t->kind);
        if (r >= 0)
                r = sd_bus_message_append_strv(reply, t->expected);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* What is to be seen of the domain now. */
static int prepare(Served *s, ServedLook *k) {
        const Domain *d = manager_find_domain(s->manager, k->name);
        char text[SERVED_TOKEN_MAX];
        int r = 0;

        k->found = problem_free(k->found);
        for (size_t i = 0; d && r == 0 && i < d->n_servers; i++)
                r = served_targets_add(&k->targets, d->servers[i].snapshot, d->servers[i].view, &d->live);
        for (size_t i = 0; i < k->targets.n && r >= 0; i++) {
                k->targets.items[i].token = ++s->last_token;
                r = map_put(s->asked, served_token_text(text, s->last_token), k);
        }
        k->n_open = k->targets.n;
        k->asked = true;
        return r;
}

static int append_look(Served *s, ServedLook *k, sd_bus_message *reply) {
        int r = prepare(s, k);

        for (size_t i = 0; r >= 0 && i < k->targets.n; i++)
                r = append_target(reply, &k->targets.items[i]);
        return r;
}

static int append_due(Served *s, sd_bus_message *reply) {
        size_t n = 0;
        ServedLook *k;

        while (n < TOGETHER_MAX && (k = served_first_due(s))) {
                int r = append_look(s, k, reply);

                if (r < 0)
                        return r;
                n += k->n_open;
                if (k->n_open == 0) /* nothing of it can be seen */
                        served_conclude(s, k);
        }
        return 0;
}

int served_worker_next(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Served *s = served_of_worker(userdata, call, error);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (!s)
                return -EACCES;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(tasqssas)");
        if (r >= 0)
                r = append_due(s, reply);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* Once: its answer is there. */
static ServedTarget *take_asked(Served *s, uint64_t token, ServedLook **ret_look) {
        char text[SERVED_TOKEN_MAX];
        ServedLook *k = map_remove(s->asked, served_token_text(text, token));

        for (size_t i = 0; k && i < k->targets.n; i++)
                if (k->targets.items[i].token == token) {
                        *ret_look = k;
                        return &k->targets.items[i];
                }
        return NULL;
}

static char *describe(const ServedTarget *t, const char *fingerprint, const char *where, const char *why) {
        _auto_free_ char *place = str_printable(where, strlen(where), TEXT_MAX), *reason = str_printable(why, strlen(why), TEXT_MAX);
        _auto_free_ char *shown = str_printable(fingerprint, strlen(fingerprint), 64);

        if (!place || !reason || !shown)
                return NULL;
        if (str_is_empty(fingerprint))
                return str_printf("The server says that it serves the newest certificate, but it was not seen at %s: %s", place, reason);
        return str_printf("The server says that it serves the newest certificate, but at %s another one is shown (%s key, SHA-256 %s)", place, t->kind, shown);
}

static int note_wrong(ServedLook *k, const ServedTarget *t, const char *fingerprint, const char *where, const char *why) {
        _auto_free_ char *text = NULL;

        if (k->found && k->found_token < t->token)
                return 0;
        text = describe(t, fingerprint, where, why);
        k->found_token = t->token;
        problem_free(k->found);
        k->found = text ? problem_new(PROBLEM_TYPE_SERVED, "%s", text) : NULL;
        return k->found ? str_replace(&k->unit, t->unit) : -ENOMEM;
}

int served_worker_seen(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Served *s = served_of_worker(userdata, call, error);
        const char *fingerprint, *where, *why;
        ServedLook *k = NULL;
        ServedTarget *t;
        uint64_t token;
        int r;

        if (!s)
                return -EACCES;
        r = sd_bus_message_read(call, "tsss", &token, &fingerprint, &where, &why);
        if (r < 0)
                return r;
        t = take_asked(s, token, &k);
        if (t) { /* nobody may want it any more */
                if (!strv_contains(t->expected, fingerprint))
                        r = note_wrong(k, t, fingerprint, where, why);
                if (r >= 0 && --k->n_open == 0)
                        served_conclude(s, k);
        }
        return r < 0 ? r : sd_bus_reply_method_return(call, NULL);
}
