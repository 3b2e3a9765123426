/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/ocsp.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "crypto/cert.h"
#include "manager/manager-bus.h"
#include "manager/ocsp-internal.h"
#include "manager/servers.h"
#include "store/crl.h"

#define UNIT_RETRY_USEC (30 * USEC_PER_SEC)
#define KEEP_DEFAULT_USEC (7 * USEC_PER_DAY)
#define GRACE_USEC (5 * USEC_PER_SEC) /* by which our own clock comes behind the timer */
#define PRUNE_INTERVAL_USEC USEC_PER_HOUR

static int on_plan(sd_event_source *source, void *userdata) {
        ocsp_kick(userdata);
        return 0;
}

void ocsp_plan(Ocsp *o) {
        (void) sd_event_source_set_enabled(o->plan, SD_EVENT_ONESHOT);
}

int ocsp_new(Manager *m, Ocsp **ret) {
        Ocsp *o = calloc(1, sizeof(*o));
        int r;

        if (!o)
                return -ENOMEM;
        o->manager = m;
        o->items = map_new();
        o->crls = map_new();
        o->asked_items = map_new();
        o->asked_crls = map_new();
        r = o->items && o->crls && o->asked_items && o->asked_crls ? sd_event_add_defer(m->event, &o->plan, on_plan, o) : -ENOMEM;
        if (r >= 0)
                r = ocsp_timer_new(m, &o->timer);
        if (r < 0) {
                ocsp_free(o);
                return r;
        }
        (void) sd_event_source_set_enabled(o->plan, SD_EVENT_OFF);
        (void) sd_event_source_set_priority(o->plan, SD_EVENT_PRIORITY_IDLE);
        *ret = o;
        return 0;
}

static void free_item(void *item) {
        ocsp_item_free(item);
}

static void free_crl(void *item) {
        crl_item_free(item);
}

Ocsp *ocsp_free(Ocsp *o) {
        if (!o)
                return NULL;
        sd_event_source_disable_unref(o->plan);
        sd_event_source_disable_unref(o->clock);
        ocsp_timer_free(o->timer);
        unit_call_free(o->unit);
        worker_seat_leave(&o->seat);
        map_free(o->asked_items);
        map_free(o->asked_crls);
        if (o->items)
                map_free_with(o->items, free_item);
        if (o->crls)
                map_free_with(o->crls, free_crl);
        free(o);
        return NULL;
}

CrlItem *ocsp_find_crl(const Ocsp *o, const char *url) {
        return map_get(o->crls, url);
}

/* --- The clock and the unit --- */

bool ocsp_is_due(const Ocsp *o, OcspItem **ret) {
        uint64_t now = clock_now_usec();
        const char *key;
        OcspItem *i;
        CrlItem *c;

        *ret = NULL;
        MAP_FOREACH(o->items, key, i)
                if (ocsp_item_is_due(i, now)) {
                        *ret = i;
                        return true;
                }
        MAP_FOREACH(o->crls, key, c)
                if (crl_item_is_due(c, now))
                        return true;
        return false;
}

uint64_t ocsp_next_usec(const Ocsp *o) {
        uint64_t next = 0, now = clock_now_usec();
        const char *key;
        OcspItem *i;
        CrlItem *c;

        MAP_FOREACH(o->items, key, i) {
                uint64_t at = i->token != 0 || !ocsp_item_is_wanted(i, now) ? 0 : MAX_OF(i->staple.next_usec, now);

                if (at > 0 && (next == 0 || at < next))
                        next = at;
        }
        MAP_FOREACH(o->crls, key, c) {
                uint64_t at = crl_item_next_usec(c);

                if (at > 0 && (next == 0 || at < next))
                        next = MAX_OF(at, now);
        }
        return next;
}

static void set_clock(Ocsp *o, uint64_t usec);

static int on_clock(sd_event_source *source, uint64_t usec, void *userdata) {
        Ocsp *o = userdata;
        uint64_t latest = usec_add(o->at_usec, GRACE_USEC);

        if (ocsp_timer_is_set_to(o->timer, o->at_usec) && clock_now_usec() < latest) {
                set_clock(o, latest);
                return 0;
        }
        o->at_usec = 0;
        ocsp_kick(o);
        return 0;
}

static void set_clock(Ocsp *o, uint64_t usec) {
        int r;

        o->clock = sd_event_source_disable_unref(o->clock);
        r = usec > 0 ? sd_event_add_time(o->manager->event, &o->clock, CLOCK_REALTIME, usec, USEC_PER_SEC / 10, on_clock, o) : 0;
        if (r < 0)
                (void) log_failure(r, "Cannot set the clock for OCSP responses: %m");
}

/* 0: never. */
static void wake_at(Ocsp *o, uint64_t usec) {
        ocsp_timer_set(o->timer, usec);
        if (o->at_usec == usec)
                return;
        o->at_usec = usec;
        manager_bus_changed(o->manager);
        set_clock(o, usec);
}

void ocsp_check_timer(Ocsp *o) {
        ocsp_timer_check(o->timer);
}

/* The worker is gone: what it had begun has failed. */
static void end_worker(Ocsp *o) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_WORKER, OCSP_UNIT " ended without an answer; see 'journalctl -u " OCSP_UNIT "'");
        const char *token;
        OcspItem *i;
        CrlItem *c;

        worker_seat_leave(&o->seat);
        MAP_FOREACH(o->asked_items, token, i) {
                (void) map_remove(o->asked_items, token);
                if (p)
                        ocsp_item_failed(i, p);
                ocsp_item_forget_request(i);
                ocsp_item_changed(i);
        }
        MAP_FOREACH(o->asked_crls, token, c) {
                (void) map_remove(o->asked_crls, token);
                if (p)
                        crl_item_failed(c, p);
        }
}

static void on_worker_gone(PeerWatch *watch, void *userdata) {
        end_worker(userdata);
        ocsp_kick(userdata);
}

int ocsp_take_worker(Ocsp *o, sd_bus_message *open) {
        return worker_seat_take(&o->seat, open, on_worker_gone, o);
}

static void on_unit(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata) {
        Ocsp *o = userdata;
        _auto_free_ char *why = bus_error_reason(error);

        o->unit = unit_call_free(o->unit);
        if (!str_equal(result, "done") || !o->asked) { /* a unit whose condition does not hold is done, too */
                log_warning(OCSP_UNIT " did not do its work: %s", str_equal(result, "done") ? "it asked for nothing" : result ? result : str_or(why, "out of memory"));
                o->held_usec = usec_add(clock_monotonic_usec(), UNIT_RETRY_USEC);
        }
        ocsp_kick(o);
}

static void start_unit(Ocsp *o) {
        int r;

        o->asked = false;
        r = unit_call_new(o->manager->bus, UNIT_START, OCSP_UNIT, 0, on_unit, o, &o->unit);
        if (r < 0) {
                (void) log_failure(r, "Cannot start " OCSP_UNIT ": %m");
                o->held_usec = usec_add(clock_monotonic_usec(), UNIT_RETRY_USEC);
        }
}

void ocsp_kick(Ocsp *o) {
        uint64_t held = usec_sub(o->held_usec, clock_monotonic_usec());
        OcspItem *due;

        if (o->unit || worker_seat_is_taken(&o->seat)) /* their end brings us back */
                return;
        if (held > 0 && map_size(o->items) + map_size(o->crls) > 0)
                wake_at(o, usec_add(clock_now_usec(), held));
        else if (ocsp_is_due(o, &due)) {
                /* Without anything in ocsp/ or crls/ the unit does not start. */
                (void) (due ? store_ocsp_ensure(o->manager->store, due->names[0]) : store_crl_ensure(o->manager->store));
                start_unit(o);
        } else
                wake_at(o, ocsp_next_usec(o));
}

void ocsp_item_changed(OcspItem *i) {
        STRV_FOREACH(name, i->names) {
                Domain *d = manager_find_domain(i->manager, *name);

                if (!d)
                        continue;
                d->checked++;
                domain_evaluate(d);
                domain_changed(d);
        }
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
        int r = ocsp_item_follow(i, s, server);

        if (r < 0)
                return r;
        i->offered = true;
        i->must_staple = s->must_staple;
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
        r = ocsp_item_new(o->manager, s, issuers[s->issuer], server, &i);
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
        CrlItem *c;

        MAP_FOREACH(o->items, id, i)
                if (!ocsp_item_is_wanted(i, now)) {
                        ocsp_forget_asked(o, i->token);
                        (void) map_remove(o->items, id);
                        ocsp_item_free(i);
                }
        MAP_FOREACH(o->crls, id, c)
                if (crl_item_is_idle(c)) {
                        (void) map_remove(o->crls, id);
                        crl_item_free(c);
                }
}

/* --- Cleaning up --- */

static bool is_used(const char *name, const char *id, void *userdata) {
        const Ocsp *o = userdata;
        const OcspItem *i = map_get(o->items, id);

        return i && strv_contains(i->names, name);
}

static bool is_list(const char *key, void *userdata) {
        const Ocsp *o = userdata;
        const char *url;
        CrlItem *c;

        MAP_FOREACH(o->crls, url, c)
                if (!key || str_equal(c->key, key))
                        return true;
        return false;
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
        r = store_crl_prune(o->manager->store, is_list, o);
        if (r < 0)
                (void) log_failure(r, "Cannot clean up %s/" STORE_CRLS ": %m", store_path(o->manager->store));
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
        MAP_FOREACH(o->items, id, i)
                if (!i->offered && r == 0)
                        r = ocsp_follow_own(o, i);
        if (r < 0) { /* what was known goes on being known */
                (void) log_failure(r, "Cannot take over what the servers staple: %m");
                return;
        }
        drop_others(o);
        MAP_FOREACH(o->items, id, i) {
                ocsp_item_note_revoked(i); /* what was known before it became live */
                if (i->replanned)
                        ocsp_item_changed(i);
                i->replanned = false;
        }
        prune(o);
        ocsp_kick(o);
}
