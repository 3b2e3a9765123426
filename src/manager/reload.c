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
#include "domain/reload-plan.h"
#include "manager/event.h"
#include "manager/manager-bus.h"
#include "manager/reload-calendar.h"
#include "manager/reload-unit.h"
#include "manager/renewal.h"
#include "manager/status.h"

#define CALL_TIMEOUT_USEC (5 * USEC_PER_MINUTE)

static const char *const reload_state_table[_RELOAD_STATE_MAX] = {
        [RELOAD_IDLE] = "idle",
        [RELOAD_WAITING] = "waiting",
        [RELOAD_PLANNED] = "planned",
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

/* Nobody wants it any more: of what was said about it nothing counts for the next one. */
static void become_idle(Reload *r) {
        r->timer = sd_event_source_disable_unref(r->timer);
        r->last = problem_free(r->last);
        r->failures = 0;
        r->urgent = r->forced = r->again = r->struck = false;
        set_state(r, RELOAD_IDLE);
}

static bool is_waiting(const Reload *r) {
        return r->state == RELOAD_WAITING || r->state == RELOAD_PLANNED;
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
                const char *u;

                for (size_t k = 0; (u = reload_unit_of(d->manager, d->servers[i].snapshot, k)); k++)
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

/* When what servers have instead is about to end; 0: that is not known. */
static uint64_t domain_urgent_usec(const Domain *d) {
        uint64_t until = d->job->replaced_until_usec;

        return until == 0 ? 0 : MAX_OF(usec_sub(until, d->manager->settings.reload_urgent_usec), (uint64_t) 1);
}

/* Monotonic; 0: it is urgent. */
static uint64_t urgent_usec(Reload *r) {
        uint64_t first = UINT64_MAX, now = clock_now_usec();
        const char *name;
        Domain *d;

        if (r->urgent || r->forced)
                return 0;
        MAP_FOREACH(r->manager->domains, name, d)
                if (domain_urgent_usec(d) != 0 && domain_waits_for(d, r->unit))
                        first = MIN_OF(first, domain_urgent_usec(d));
        return first == UINT64_MAX ? UINT64_MAX : first <= now ? 0 : usec_add(clock_monotonic_usec(), first - now);
}

/* What was tried at a set time is not tried all day long. */
static bool is_given_up(const Reload *r, uint64_t delay) {
        return r->struck && reload_calendar_is_used(r->manager->reload_calendar) &&
               usec_add(clock_monotonic_usec(), delay) > usec_add(r->struck_usec, RELOAD_PLAN_PATIENCE_USEC);
}

static void wait_again(Reload *r, uint64_t delay) {
        if (is_given_up(r, delay)) {
                r->struck = false;
                r->failures = 0;
                set_state(r, RELOAD_WAITING);
                manager_kick(r->manager); /* for the next one, unless it is urgent by then */
                return;
        }
        set_state(r, RELOAD_WAITING);
        set_timer(r, delay);
}

/* Failures are told once, then again only when the words change. */
static void fail(Reload *r, EventKind kind, const char *type, const char *detail) {
        uint64_t delay;

        if (r->failures < 16)
                r->failures++;
        r->n_failed++;
        delay = reload_plan_retry_usec(r->failures);
        if (r->again) /* somebody wants it since: do not sit out a long wait */
                delay = MIN_OF(delay, r->manager->settings.reload_interval_usec);
        if (!r->last || !str_equal(r->last->detail, detail)) {
                problem_free(r->last);
                r->last = problem_new(type, "%s", detail);
                if (r->last)
                        tell_waiting_domains(r, kind, r->last);
        }
        wait_again(r, delay);
}

/* polkit's words are about a person in front of a terminal. */
static char *refusal(const Reload *r, const sd_bus_error *error) {
        _auto_free_ char *why = bus_error_reason(error);

        if (sd_bus_error_has_name(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED) || sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED))
                return str_printf("Reloading %s was refused: polkit lets md-manager reload the units of Apache alone, see ReloadUnit= in md-manager.conf(5)", r->unit);
        return str_printf("Reloading %s was refused: %s", r->unit, str_or(why, "out of memory"));
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
                detail = refusal(r, error);
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
        Manager *m = r->manager;
        uint64_t now = clock_monotonic_usec(), at;
        ReloadPlan plan = {
                .interval_usec = m->settings.reload_interval_usec,
                .max_wait_usec = m->settings.reload_max_wait_usec,
                .on_calendar = reload_calendar_is_used(m->reload_calendar),
                .wanted_usec = r->wanted_usec,
                .started_usec = r->started_usec,
                .urgent_usec = urgent_usec(r),
                .busy = task_count_busy(m) > 0, /* reload_kick() when they have ended */
                .struck = r->struck,
        };
        bool planned = plan.on_calendar && !plan.struck && plan.urgent_usec > now;

        at = reload_plan_at(&plan, now);
        if (at <= now) {
                run(r);
                return;
        }
        if ((r->state == RELOAD_PLANNED) != planned)
                set_state(r, planned ? RELOAD_PLANNED : RELOAD_WAITING);
        r->timer = sd_event_source_disable_unref(r->timer);
        if (at != UINT64_MAX)
                set_timer(r, at - now);
}

/* Runs it now, or sets the timer for the moment when it may. */
static void consider(Reload *r) {
        if (!r->forced && !somebody_waits(r)) { /* somebody else reloaded it meanwhile */
                become_idle(r);
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
        if (!is_waiting(r))
                return 0;
        if (r->failures > 0 && (r->forced || somebody_waits(r)))
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
        case RELOAD_PLANNED:
                if (urgent || r->state == RELOAD_PLANNED)
                        manager_kick(m);
                if (r->failures > (forced ? 0U : 1U)) { /* there is more to lose now, or somebody has mended it: do not sit out a long wait */
                        r->failures = 1;
                        set_timer(r, MIN_OF(m->settings.reload_interval_usec, forced ? USEC_PER_SEC : USEC_INFINITY));
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

/* Of one server. False: nobody but people can reload it. */
static bool request_server(Domain *d, const DomainServer *server) {
        Manager *m = d->manager;
        const char *unit;
        size_t k;

        for (k = 0; (unit = reload_unit_of(m, server->snapshot, k)); k++) {
                const Reload *under_way = map_get(m->reloads, unit);

                if (!under_way || !is_for(under_way, d))
                        (void) request(m, unit, !server->view->served, false);
        }
        return k > 0;
}

void reload_request(Domain *d) {
        Manager *m = d->manager;
        bool reachable = false;

        for (size_t i = 0; i < d->n_servers; i++)
                if (!domain_is_served_by(d, i))
                        reachable = request_server(d, &d->servers[i]) || reachable;
        if (!reachable && !d->reload_told) {
                _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_RELOAD, "The new certificate waits for a reload of the server by hand: %s",
                                                        reload_is_by_hand(m) ? "ReloadUnit=none" : "the server runs in no systemd unit");

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
                if (is_waiting(r) && r->failures == 0)
                        consider(r);
}

int reload_strike(Manager *m, char ***ret_units) {
        _auto_strv_ char **units = NULL;
        const char *unit;
        Reload *r;

        MAP_FOREACH(m->reloads, unit, r) {
                if (r->state == RELOAD_IDLE)
                        continue;
                r->struck = true;
                r->struck_usec = clock_monotonic_usec();
                if (r->state == RELOAD_PLANNED && strv_extend(&units, unit) < 0)
                        return -ENOMEM;
        }
        manager_kick(m);
        *ret_units = take_ptr(units);
        return 0;
}

/* All is served that was wanted when it began. What came meanwhile has another one; a set time that came meanwhile was for that, too. */
static void end_proven(Reload *r) {
        bool urgent = r->urgent, forced = r->forced, again = r->again && somebody_waits(r);
        bool struck = r->struck && r->struck_usec > r->started_usec;

        become_idle(r);
        if (!forced && !again)
                return;
        r->struck = struck;
        (void) request(r->manager, r->unit, urgent, forced);
}

void reload_snapshot_arrived(Manager *m) {
        const char *unit;
        Reload *r;

        MAP_FOREACH(m->reloads, unit, r) {
                if (r->state == RELOAD_RUNNING || r->state == RELOAD_IDLE)
                        continue;
                if (somebody_waits(r) && !(r->state == RELOAD_PROVING && r->again)) /* 'again': it may wait for what came too late for this one */
                        continue;
                if (is_waiting(r) && r->failures == 0)
                        continue; /* wanted by somebody else than a domain */
                end_proven(r);
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

bool reload_is_coming(const Domain *d) {
        const char *unit;
        Reload *r;

        MAP_FOREACH(d->manager->reloads, unit, r)
                if (r->state != RELOAD_IDLE && r->state != RELOAD_PLANNED && r->failures == 0 && !r->last && domain_waits_for(d, unit))
                        return true;
        return false;
}

static bool is_planned_for(const Domain *d) {
        const char *unit;
        Reload *r;

        MAP_FOREACH(d->manager->reloads, unit, r)
                if (r->state == RELOAD_PLANNED && domain_waits_for(d, unit))
                        return true;
        return false;
}

/* Not when what is served meanwhile is about to end, or there is nothing. */
const char *reload_excuse(const Domain *d) {
        uint64_t urgent = domain_urgent_usec(d);

        if (d->decision.action != DECISION_INSTALL || (urgent != 0 && urgent <= clock_now_usec()))
                return NULL;
        if (is_planned_for(d))
                return "The newest certificate is served after the next reload that ReloadOnCalendar= plans, see md-reload.timer";
        for (size_t i = 0; i < d->n_servers; i++)
                if (!domain_is_served_by(d, i) && !d->servers[i].view->served)
                        return NULL;
        return d->reload_told ? "The newest certificate is served when somebody reloads the server" : NULL;
}

bool reload_waits_for_somebody(const Manager *m) {
        const char *name;
        Domain *d;

        MAP_FOREACH(m->domains, name, d)
                if (d->reload_told && d->managed && !d->served && d->decision.action == DECISION_INSTALL)
                        return true;
        return false;
}

bool reload_is_pending(const Manager *m) {
        return reload_is_under_way(m) || reload_waits_for_somebody(m);
}

bool reload_is_under_way(const Manager *m) {
        const char *unit;
        Reload *r;

        MAP_FOREACH(m->reloads, unit, r)
                if (r->state != RELOAD_IDLE)
                        return true;
        return false;
}
