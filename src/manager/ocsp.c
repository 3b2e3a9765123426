/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/ocsp.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "crypto/cert.h"
#include "manager/ocsp-internal.h"
#include "manager/servers.h"
#include "manager/status.h"

#define UNIT_RETRY_USEC (30 * USEC_PER_SEC)
#define KEEP_DEFAULT_USEC (7 * USEC_PER_DAY)
#define PRUNE_INTERVAL_USEC USEC_PER_HOUR

int ocsp_new(Manager *m, Ocsp **ret) {
        Ocsp *o = calloc(1, sizeof(*o));

        if (!o)
                return -ENOMEM;
        o->manager = m;
        o->items = map_new();
        if (!o->items) {
                free(o);
                return -ENOMEM;
        }
        *ret = o;
        return 0;
}

static void free_item(void *item) {
        ocsp_item_free(item);
}

Ocsp *ocsp_free(Ocsp *o) {
        if (!o)
                return NULL;
        sd_event_source_disable_unref(o->clock);
        unit_call_free(o->unit);
        map_free_with(o->items, free_item);
        free(o->worker);
        free(o);
        return NULL;
}

/* --- The clock and the unit --- */

OcspItem *ocsp_first_due(const Ocsp *o) {
        uint64_t now = clock_now_usec();
        const char *id;
        OcspItem *i;

        MAP_FOREACH(o->items, id, i)
                if (ocsp_item_is_due(i, now))
                        return i;
        return NULL;
}

uint64_t ocsp_next_usec(const Ocsp *o) {
        uint64_t next = 0, now = clock_now_usec();
        const char *id;
        OcspItem *i;

        MAP_FOREACH(o->items, id, i) {
                uint64_t at = i->request ? 0 : MAX_OF(i->staple.next_usec, now);

                if (at > 0 && (next == 0 || at < next))
                        next = at;
        }
        return next;
}

static int on_clock(sd_event_source *source, uint64_t usec, void *userdata) {
        Ocsp *o = userdata;

        o->at_usec = 0;
        ocsp_kick(o);
        return 0;
}

static void wake_at(Ocsp *o, uint64_t usec) {
        int r;

        if (usec == 0 || o->at_usec == usec)
                return;
        o->clock = sd_event_source_disable_unref(o->clock);
        o->at_usec = usec;
        r = sd_event_add_time(o->manager->event, &o->clock, CLOCK_REALTIME, usec, USEC_PER_SEC / 10, on_clock, o);
        if (r < 0)
                (void) log_failure(r, "Cannot set the clock for OCSP responses: %m");
}

/* The worker is gone: what it had begun has failed. */
static void end_worker(Ocsp *o) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_WORKER, OCSP_UNIT " ended without an answer; see 'journalctl -u " OCSP_UNIT "'");
        const char *id;
        OcspItem *i;

        o->worker = (free(o->worker), NULL);
        MAP_FOREACH(o->items, id, i)
                if (i->request && p)
                        ocsp_item_failed(i, p);
                else
                        ocsp_item_forget_request(i);
}

static void on_unit(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata) {
        Ocsp *o = userdata;

        o->unit = unit_call_free(o->unit);
        end_worker(o);
        if (!str_equal(result, "done") || !o->opened) { /* a unit whose condition does not hold is done, too */
                log_warning(OCSP_UNIT " did not do its work: %s", result ? result : error && error->message ? error->message : "no reason given");
                o->held_usec = usec_add(clock_monotonic_usec(), UNIT_RETRY_USEC);
        }
        o->opened = false;
        ocsp_kick(o);
}

void ocsp_follow(Ocsp *o) {
        int r;

        if (o->unit)
                return;
        r = unit_call_new(o->manager->bus, UNIT_START, OCSP_UNIT, 0, on_unit, o, &o->unit);
        if (r < 0) {
                (void) log_failure(r, "Cannot start " OCSP_UNIT ": %m");
                o->held_usec = usec_add(clock_monotonic_usec(), UNIT_RETRY_USEC);
        }
}

void ocsp_kick(Ocsp *o) {
        uint64_t held = usec_sub(o->held_usec, clock_monotonic_usec());
        const OcspItem *due;

        if (o->unit) /* its end brings us back */
                return;
        if (held > 0 && map_size(o->items) > 0)
                wake_at(o, usec_add(clock_now_usec(), held));
        else if ((due = ocsp_first_due(o))) {
                (void) store_ocsp_ensure(o->manager->store, due->names[0]); /* without anything in ocsp/ the unit does not start */
                ocsp_follow(o);
        } else
                wake_at(o, ocsp_next_usec(o));
}

void ocsp_item_changed(OcspItem *i) {
        STRV_FOREACH(name, i->names) {
                Domain *d = manager_find_domain(i->manager, *name);

                if (!d)
                        continue;
                domain_evaluate(d);
                status_changed(i->manager->shown, d);
        }
}

const StoreStaple *ocsp_find(const Ocsp *o, const char *serial) {
        const char *id;
        OcspItem *i;

        MAP_FOREACH(o->items, id, i)
                if (str_equal_nocase(i->serial, serial))
                        return &i->staple;
        return NULL;
}

/* --- What servers offer --- */

/* One certificate of PEM text; NULL: it is none, which is told. */
static X509 *read_issuer(const char *pem, const char *server) {
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_problem_ Problem *p = NULL;

        if (cert_chain_from_pem(pem, strlen(pem), &chain, &p) < 0) {
                log_warning("The server '%s' offers certificates for stapling with an issuer that cannot be read: %s", server, p ? p->detail : "out of memory");
                return NULL;
        }
        return take_ptr(chain.certs[0]);
}

static int update_item(OcspItem *i, const SnapshotStapling *s, const Snapshot *server) {
        if (str_replace(&i->url, s->url) < 0 || str_replace(&i->proxy_url, s->proxy_url) < 0 || str_replace(&i->proxy_ca_file, s->proxy_ca_file) < 0)
                return -ENOMEM;
        i->window = server->staple_renew;
        i->retry_delay_usec = server->retry_delay_usec;
        i->offered = true;
        i->wanted_until_usec = 0;
        return ocsp_item_add_name(i, str_or(s->domain, STORE_OCSP_OTHER));
}

/* Issuers are parsed when the first new certificate of theirs comes along. */
static int offer(Ocsp *o, const Snapshot *server, const SnapshotStapling *s, X509 **issuers) {
        OcspItem *i = map_get(o->items, s->id);
        int r;

        if (i)
                return i->offered ? ocsp_item_add_name(i, str_or(s->domain, STORE_OCSP_OTHER)) : update_item(i, s, server);
        if (!issuers[s->issuer])
                issuers[s->issuer] = read_issuer(server->staplings.issuers[s->issuer], server->id);
        if (!issuers[s->issuer])
                return 0;
        r = ocsp_item_new(o->manager, s, issuers[s->issuer], &i);
        if (r == 0)
                r = map_put(o->items, i->id, i);
        if (r < 0) {
                ocsp_item_free(i);
                return r;
        }
        return update_item(i, s, server);
}

static int offer_all(Ocsp *o, const Snapshot *server) {
        size_t n = strv_length(server->staplings.issuers);
        X509 **issuers = calloc(n + 1, sizeof(*issuers));
        int r = issuers ? 0 : -ENOMEM;

        for (size_t k = 0; k < server->staplings.n && r == 0; k++)
                r = offer(o, server, &server->staplings.items[k], issuers);
        for (size_t k = 0; issuers && k < n; k++)
                X509_free(issuers[k]);
        free(issuers);
        return r;
}

static void drop_others(Ocsp *o) {
        uint64_t now = clock_now_usec();
        const char *id;
        OcspItem *i;

        MAP_FOREACH(o->items, id, i)
                if (!i->offered && i->wanted_until_usec <= now) {
                        (void) map_remove(o->items, id);
                        ocsp_item_free(i);
                }
}

/* --- Cleaning up --- */

static bool is_used(const char *name, const char *id, void *userdata) {
        const Ocsp *o = userdata;
        const OcspItem *i = map_get(o->items, id);

        return i && strv_contains(i->names, name);
}

/* The longest of all servers'. */
static uint64_t keep_usec(const Ocsp *o) {
        uint64_t keep = 0;
        size_t n;
        Snapshot *const *snapshots = servers_snapshots(o->manager->servers, &n);

        for (size_t k = 0; k < n; k++)
                keep = MAX_OF(keep, snapshots[k]->staple_keep.usec > 0 ? snapshots[k]->staple_keep.usec : KEEP_DEFAULT_USEC);
        return keep > 0 ? keep : KEEP_DEFAULT_USEC;
}

static void prune(Ocsp *o) {
        uint64_t now = clock_monotonic_usec();
        int r;

        if (o->pruned_usec > 0 && now - o->pruned_usec < PRUNE_INTERVAL_USEC)
                return;
        o->pruned_usec = now;
        r = store_ocsp_prune(o->manager->store, usec_sub(clock_now_usec(), keep_usec(o)), is_used, o);
        if (r < 0)
                (void) log_failure(r, "Cannot clean up %s/" STORE_OCSP ": %m", store_path(o->manager->store));
}

void ocsp_update(Ocsp *o) {
        size_t n;
        Snapshot *const *snapshots = servers_snapshots(o->manager->servers, &n);
        const char *id;
        OcspItem *i;
        int r = 0;

        MAP_FOREACH(o->items, id, i)
                i->offered = false;
        for (size_t k = 0; k < n && r == 0; k++)
                r = offer_all(o, snapshots[k]);
        if (r < 0) { /* what was known goes on being known */
                (void) log_failure(r, "Cannot take over what the servers staple: %m");
                return;
        }
        drop_others(o);
        prune(o);
        ocsp_kick(o);
}
