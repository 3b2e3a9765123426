/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/reload.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "manager/event.h"
#include "manager/manager-bus.h"
#include "manager/renewal.h"
#include "manager/status.h"
#include "domain/backoff.h"

#define CALL_TIMEOUT_USEC (5 * USEC_PER_MINUTE)
#define URGENT_INTERVAL_USEC USEC_PER_SEC
#define URGENT_WAIT_USEC (2 * USEC_PER_SEC)
#define RETRY_BASE_USEC (10 * USEC_PER_SEC)
#define RETRY_MAX_USEC USEC_PER_HOUR

static const char *const reload_state_table[_RELOAD_STATE_MAX] = {
        [RELOAD_IDLE] = "idle",
        [RELOAD_WAITING] = "waiting",
        [RELOAD_RUNNING] = "running",
        [RELOAD_PROVING] = "proving",
};

const char *reload_state_to_string(ReloadState s) {
        return (size_t) s < ELEMENTSOF(reload_state_table) ? reload_state_table[s] : NULL;
}

Reload *reload_free(Reload *r) {
        if (!r)
                return NULL;
        (void) map_remove(r->manager->reloads, r->unit);
        unit_call_free(r->call);
        sd_event_source_disable_unref(r->timer);
        problem_free(r->last);
        free(r->unit);
        free(r);
        return NULL;
}

static Reload *find_or_make(Manager *m, const char *unit) {
        Reload *r = map_get(m->reloads, unit);

        if (r)
                return r;
        r = calloc(1, sizeof(*r));
        if (!r)
                return NULL;
        r->manager = m;
        r->unit = strdup(unit);
        if (!r->unit || map_put(m->reloads, unit, r) < 0) {
                free(r->unit);
                free(r);
                return NULL;
        }
        return r;
}

static void set_state(Reload *r, ReloadState state) {
        r->state = state;
        manager_bus_changed(r->manager);
        status_changed(r->manager->shown, NULL);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

static void set_timer(Reload *r, uint64_t usec) {
        int k;

        r->timer = sd_event_source_disable_unref(r->timer);
        k = sd_event_add_time_relative(r->manager->event, &r->timer, CLOCK_MONOTONIC, usec, 0, on_timer, r);
        if (k < 0)
                (void) log_failure(k, "%s: Cannot set a timer: %m", r->unit);
}

/* Domains whose live set one server in this unit does not serve. */
static bool domain_waits_for(const Domain *d, const char *unit) {
        if (!d->managed || d->served || d->live.n == 0 || d->decision.action != DECISION_INSTALL)
                return false;
        for (size_t i = 0; i < d->n_servers; i++) {
                const char *u = str_or(d->manager->settings.reload_unit, d->servers[i].snapshot->unit);

                if (str_equal(u, unit) && !domain_is_served_by(d, i))
                        return true;
        }
        return false;
}

static void tell_waiting_domains(Reload *r, EventKind kind, const Problem *p) {
        const char *name;
        Domain *d;

        MAP_FOREACH(r->manager->domains, name, d)
                if (domain_waits_for(d, r->unit))
                        event_tell(d, kind, p, "%s", p->detail);
}

static bool somebody_waits(Reload *r) {
        const char *name;
        Domain *d;

        MAP_FOREACH(r->manager->domains, name, d)
                if (domain_waits_for(d, r->unit))
                        return true;
        return false;
}

/* Failures are told once, then again only when the words change. */
static void fail(Reload *r, EventKind kind, const char *type, const char *detail) {
        uint64_t delay;

        if (r->failures < 16)
                r->failures++;
        r->n_failed++;
        delay = MIN_OF(RETRY_BASE_USEC << (r->failures - 1), RETRY_MAX_USEC);
        if (r->again) /* somebody wants it since: do not sit out a long wait */
                delay = MIN_OF(delay, r->manager->settings.reload_interval_usec);
        if (!r->last || !str_equal(r->last->detail, detail)) {
                problem_free(r->last);
                r->last = problem_new(type, "%s", detail);
                if (r->last)
                        tell_waiting_domains(r, kind, r->last);
        }
        set_state(r, RELOAD_WAITING);
        set_timer(r, delay);
}

static void on_job(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata) {
        Reload *r = userdata;
        _auto_free_ char *detail = NULL;

        r->call = unit_call_free(r->call);
        if (str_equal(result, "done")) {
                r->n_done++;
                set_state(r, RELOAD_PROVING);
                set_timer(r, r->manager->settings.served_timeout_usec);
                reload_snapshot_arrived(r->manager); /* it may have been faster */
                return;
        }
        /* "invalid": systemd reloads only what runs. The server reads the new certificate when it starts. */
        if (str_equal(result, "invalid") || (error && str_equal(error->name, "org.freedesktop.systemd1.JobTypeNotApplicable")))
                detail = str_printf("%s does not run: it serves the new certificate when it is started", r->unit);
        else if (result)
                detail = str_printf("Reloading %s failed (%s); see 'systemctl status %s'. It goes on with the certificate that it has", r->unit, result, r->unit);
        else
                detail = str_printf("Reloading %s was refused: %s", r->unit, error && error->message ? error->message : "no reason given");
        fail(r, EVENT_RELOAD_FAILED, PROBLEM_TYPE_RELOAD, str_or(detail, "Out of memory"));
}

static void run(Reload *r) {
        int k;

        r->timer = sd_event_source_disable_unref(r->timer);
        r->again = r->urgent = r->forced = false;
        r->wanted_usec = 0;
        r->started_usec = clock_monotonic_usec();
        set_state(r, RELOAD_RUNNING);
        log_info("Reloading %s.", r->unit);
        k = unit_call_new(r->manager->bus, UNIT_RELOAD, r->unit, CALL_TIMEOUT_USEC, on_job, r, &r->call);
        if (k < 0) {
                (void) log_failure(k, "Cannot ask systemd to reload %s: %m", r->unit);
                fail(r, EVENT_RELOAD_FAILED, PROBLEM_TYPE_RELOAD, "Cannot ask systemd to reload");
        }
}

static void consider_time(Reload *r) {
        uint64_t now = clock_monotonic_usec();
        uint64_t interval = MIN_OF(r->manager->settings.reload_interval_usec, r->urgent ? URGENT_INTERVAL_USEC : USEC_INFINITY);
        uint64_t earliest = r->started_usec == 0 ? 0 : usec_add(r->started_usec, interval);
        uint64_t wait = MIN_OF(r->manager->settings.reload_max_wait_usec, r->urgent ? URGENT_WAIT_USEC : USEC_INFINITY);
        uint64_t latest = usec_add(r->wanted_usec, wait);

        if (now < earliest)
                set_timer(r, earliest - now);
        else if (task_count_busy(r->manager) > 0 && now < latest)
                set_timer(r, latest - now); /* or reload_kick() when they have ended */
        else
                run(r);
}

/* Runs it now, or sets the timer for the moment when it may. */
static void consider(Reload *r) {
        if (!r->forced && !somebody_waits(r)) { /* somebody else reloaded it meanwhile */
                set_state(r, RELOAD_IDLE);
                return;
        }
        consider_time(r);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Reload *r = userdata;

        r->timer = sd_event_source_disable_unref(r->timer);
        if (r->state == RELOAD_PROVING) {
                _auto_free_ char *detail = str_printf("%s was reloaded, but it does not say that it serves the new certificate; see its error log", r->unit);

                fail(r, EVENT_SERVED_DIFFERS, PROBLEM_TYPE_SERVED, str_or(detail, "Out of memory"));
                return 0;
        }
        if (r->state != RELOAD_WAITING)
                return 0;
        if (r->failures > 0 && !somebody_waits(r)) { /* somebody else reloaded it meanwhile */
                r->failures = 0;
                set_state(r, RELOAD_IDLE);
                return 0;
        }
        if (r->failures > 0)
                run(r);
        else
                consider(r);
        return 0;
}

static int request(Manager *m, const char *unit, bool urgent, bool forced) {
        Reload *r = find_or_make(m, unit);

        if (!r)
                return log_oom();
        r->urgent = r->urgent || urgent;
        r->forced = r->forced || forced;
        switch (r->state) {

        case RELOAD_IDLE:
                r->wanted_usec = clock_monotonic_usec();
                set_state(r, RELOAD_WAITING);
                manager_kick(m); /* looks in the next round, when all that ends now has ended */
                break;

        case RELOAD_WAITING:
                if (urgent)
                        manager_kick(m);
                if (r->failures > 1) { /* there is more to lose now: do not sit out a long wait */
                        r->failures = 1;
                        set_timer(r, m->settings.reload_interval_usec);
                }
                break;

        case RELOAD_RUNNING:
        case RELOAD_PROVING:
                r->again = true;
                break;

        default:
                assert(false);
        }
        return 0;
}

/* Looked at again while it waits for the very reload that is under way. */
static bool is_for(const Reload *r, const Domain *d) {
        return (r->state == RELOAD_RUNNING || r->state == RELOAD_PROVING) && d->live_since_usec < r->started_usec;
}

void reload_request(Domain *d) {
        Manager *m = d->manager;
        bool reachable = false;

        for (size_t i = 0; i < d->n_servers; i++) {
                const char *unit = str_or(m->settings.reload_unit, d->servers[i].snapshot->unit);
                const ManagedDomain *view = d->servers[i].view;
                const Reload *under_way;

                if (domain_is_served_by(d, i) || str_is_empty(unit) || str_equal(unit, "none"))
                        continue;
                reachable = true;
                under_way = map_get(m->reloads, unit);
                if (!under_way || !is_for(under_way, d))
                        (void) request(m, unit, !view->served, false);
        }
        if (!reachable && !d->reload_told) {
                _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_RELOAD, "The new certificate waits for a reload of the server by hand: %s",
                                                        str_equal(m->settings.reload_unit, "none") ? "ReloadUnit=none" : "the server runs in no systemd unit");

                d->reload_told = true;
                if (p)
                        event_tell(d, EVENT_RELOAD_PENDING, p, "%s", p->detail);
        }
}

int reload_request_unit(Manager *m, const char *unit) {
        return request(m, unit, true, true);
}

void reload_kick(Manager *m) {
        const char *unit;
        Reload *r;

        MAP_FOREACH(m->reloads, unit, r)
                if (r->state == RELOAD_WAITING && r->failures == 0)
                        consider(r);
}

void reload_snapshot_arrived(Manager *m) {
        const char *unit;
        Reload *r;

        MAP_FOREACH(m->reloads, unit, r) {
                if (r->state == RELOAD_RUNNING || r->state == RELOAD_IDLE)
                        continue;
                if (somebody_waits(r) && !(r->state == RELOAD_PROVING && r->again)) /* 'again': it may wait for what came too late for this one */
                        continue;
                if (r->state == RELOAD_WAITING && r->failures == 0)
                        continue; /* wanted by somebody else than a domain */
                r->timer = sd_event_source_disable_unref(r->timer);
                r->failures = 0;
                r->last = problem_free(r->last);
                set_state(r, RELOAD_IDLE);
                if (r->forced || (r->again && somebody_waits(r)))
                        (void) request(m, r->unit, r->urgent, r->forced);
        }
}

const char *reload_trouble(const Domain *d) {
        const char *unit;
        Reload *r;

        MAP_FOREACH(d->manager->reloads, unit, r)
                if (r->last && domain_waits_for(d, unit))
                        return r->last->detail;
        return NULL;
}

bool reload_is_pending(const Manager *m) {
        const char *unit;
        Reload *r;

        MAP_FOREACH(m->reloads, unit, r)
                if (r->state != RELOAD_IDLE)
                        return true;
        return false;
}
