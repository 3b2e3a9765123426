/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/served.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "manager/event.h"
#include "manager/served-internal.h"

#define UNIT_RETRY_USEC USEC_PER_SEC
#define AGAIN_USEC USEC_PER_MINUTE
#define AGAIN_MAX_USEC USEC_PER_HOUR
/* However many domains of a server are shown wrongly: it is restarted once in this time. */
#define RESTART_INTERVAL_USEC USEC_PER_HOUR
#define RESTART_TIMEOUT_USEC (5 * USEC_PER_MINUTE)

typedef struct Restart {
        Served *served;
        char *unit;
        uint64_t when_usec; /* monotonic */
        UnitCall *call;
} Restart;

static void restart_free(void *restart) {
        Restart *r = restart;

        unit_call_free(r->call);
        free(r->unit);
        free(r);
}

static void look_free(void *look) {
        ServedLook *k = look;

        if (!k)
                return;
        served_targets_done(&k->targets);
        problem_free(k->found);
        problem_free(k->difference);
        free(k->unit);
        free(k->subject);
        free(k->name);
        free(k);
}

int served_new(Manager *m, Served **ret) {
        Served *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->manager = m;
        s->looks = map_new();
        s->asked = map_new();
        s->restarts = map_new();
        if (!s->looks || !s->asked || !s->restarts) {
                served_free(s);
                return -ENOMEM;
        }
        *ret = s;
        return 0;
}

Served *served_free(Served *s) {
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->clock);
        unit_call_free(s->unit);
        map_free(s->asked);
        map_free_with(s->looks, look_free);
        map_free_with(s->restarts, restart_free);
        worker_seat_leave(&s->seat);
        free(s);
        return NULL;
}

const char *served_token_text(char buffer[static SERVED_TOKEN_MAX], uint64_t token) {
        (void) snprintf(buffer, SERVED_TOKEN_MAX, "%" PRIu64, token);
        return buffer;
}

void served_dismiss(Served *s, ServedLook *k) {
        char text[SERVED_TOKEN_MAX];

        for (size_t i = 0; i < k->targets.n; i++)
                (void) map_remove(s->asked, served_token_text(text, k->targets.items[i].token));
        served_targets_done(&k->targets);
        k->n_open = 0;
        k->asked = false;
}

void served_forget(Served *s, const char *name) {
        ServedLook *k = s ? map_remove(s->looks, name) : NULL;

        if (!k)
                return;
        served_dismiss(s, k);
        look_free(k);
}

const Problem *served_difference(const Served *s, const Domain *d) {
        const ServedLook *k = s ? map_get(s->looks, DOMAIN_NAME(d)) : NULL;

        return k ? k->difference : NULL;
}

/* --- The clock and the unit --- */

static bool is_due(const ServedLook *k, uint64_t now) {
        return !k->asked && k->next_usec <= now;
}

ServedLook *served_first_due(const Served *s) {
        uint64_t now = clock_monotonic_usec();
        const char *name;
        ServedLook *k;

        MAP_FOREACH(s->looks, name, k)
                if (is_due(k, now))
                        return k;
        return NULL;
}

static uint64_t next_usec(const Served *s) {
        uint64_t next = 0;
        const char *name;
        ServedLook *k;

        MAP_FOREACH(s->looks, name, k)
                if (!k->asked && (next == 0 || k->next_usec < next))
                        next = MAX_OF(k->next_usec, (uint64_t) 1);
        return next == 0 ? 0 : MAX_OF(next, s->held_usec);
}

static int on_clock(sd_event_source *source, uint64_t usec, void *userdata);

/* While the unit or a worker runs, its end brings us here. */
static void plan(Served *s) {
        uint64_t next = s->unit || worker_seat_is_taken(&s->seat) ? 0 : next_usec(s);
        int r;

        s->clock = sd_event_source_disable_unref(s->clock);
        if (next == 0)
                return;
        r = sd_event_add_time(s->manager->event, &s->clock, CLOCK_MONOTONIC, next, USEC_PER_SEC / 10, on_clock, s);
        if (r < 0)
                (void) log_failure(r, "Cannot set the clock for looking at what is served: %m");
}

/* Started again later, and later still. */
static void hold(Served *s) {
        s->held++;
        s->held_usec = usec_add(clock_monotonic_usec(), MIN_OF(UNIT_RETRY_USEC << MIN_OF(s->held - 1, 12U), AGAIN_MAX_USEC));
}

/* A unit whose condition does not hold is done, too. NULL: all is well. */
static const char *unit_fault(const Served *s, const char *result) {
        if (!str_equal(result, "done"))
                return result;
        return !s->opened ? "it asked for nothing" : s->left ? "it went without answers" : NULL;
}

static void on_unit(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata) {
        Served *s = userdata;
        _auto_free_ char *why = bus_error_reason(error);
        const char *fault = result ? unit_fault(s, result) : str_or(why, "out of memory");

        s->unit = unit_call_free(s->unit);
        if (fault) {
                if (s->held > 0) /* the first one may have had its job from the manager before us */
                        log_warning(SERVED_UNIT " did not do its work: %s. What servers really serve is not seen; what they say counts.", fault);
                hold(s);
        } else
                s->held = 0;
        plan(s);
}

static void start_unit(Served *s) {
        int r;

        s->opened = s->left = false;
        r = unit_call_new(s->manager->bus, UNIT_START, SERVED_UNIT, 0, on_unit, s, &s->unit);
        if (r < 0) {
                (void) log_failure(r, "Cannot start " SERVED_UNIT ": %m");
                hold(s);
        }
}

static int on_clock(sd_event_source *source, uint64_t usec, void *userdata) {
        Served *s = userdata;

        s->clock = sd_event_source_disable_unref(s->clock);
        if (served_first_due(s))
                start_unit(s);
        plan(s);
        return 0;
}

/* --- The worker --- */

/* What it had begun is looked at by the next one. */
static void on_worker_gone(PeerWatch *watch, void *userdata) {
        Served *s = userdata;
        const char *name;
        ServedLook *k;

        worker_seat_leave(&s->seat);
        MAP_FOREACH(s->looks, name, k)
                served_dismiss(s, k);
        s->left = served_first_due(s) != NULL;
        if (s->left && !s->unit)
                hold(s);
        plan(s);
}

int served_take_worker(Served *s, sd_bus_message *open) {
        int r = worker_seat_take(&s->seat, open, on_worker_gone, s);

        if (r >= 0)
                plan(s);
        return r;
}

/* --- Which domains --- */

static char *subject_of(const Domain *d) {
        _auto_strv_ char **fingerprints = NULL;

        for (size_t i = 0; i < d->live.n; i++)
                if (strv_extend(&fingerprints, str_or(d->live.items[i].sha256, "-")) < 0)
                        return NULL;
        return fingerprints ? strv_join(fingerprints, " ") : NULL;
}

static bool is_wanted(const Domain *d) {
        if (!d->manager->settings.verify_served || d->seen || !d->managed || !d->served || d->live.n == 0 || d->job->phase == JOB_PHASE_ACTIVATED)
                return false;
        for (size_t i = 0; i < d->n_servers; i++) {
                const ManagedDomain *view = d->servers[i].view;

                if (view->used_tls && !view->refused && view->endpoints && !managed_domain_is_static(view))
                        return true;
        }
        return false;
}

static int look_new(Served *s, const Domain *d, char *subject) {
        ServedLook *k = calloc(1, sizeof(*k));
        int r;

        if (!k) {
                free(subject);
                return -ENOMEM;
        }
        k->subject = subject;
        k->name = strdup(DOMAIN_NAME(d));
        r = k->name ? map_put(s->looks, k->name, k) : -ENOMEM;
        if (r < 0)
                look_free(k);
        return r;
}

void served_update(Served *s, Domain *d) {
        const ServedLook *k;
        char *subject;
        int r;

        if (!s)
                return;
        k = map_get(s->looks, DOMAIN_NAME(d));
        if (!is_wanted(d)) {
                if (k)
                        served_forget(s, DOMAIN_NAME(d));
                return;
        }
        subject = subject_of(d);
        if (!subject || (k && str_equal(k->subject, subject))) {
                free(subject);
                return;
        }
        served_forget(s, DOMAIN_NAME(d));
        r = look_new(s, d, subject);
        if (r < 0)
                (void) log_failure(r, "%s: Cannot look at what is served: %m", DOMAIN_NAME(d));
        plan(s);
}

void served_retry(Served *s) {
        const char *name;
        ServedLook *k;

        if (!s)
                return;
        MAP_FOREACH(s->looks, name, k)
                k->next_usec = 0;
        s->held_usec = 0;
        plan(s);
}

/* --- What came of it --- */

static void on_restarted(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata) {
        Restart *r = userdata;
        _auto_free_ char *why = bus_error_reason(error);
        const char *name;
        ServedLook *k;

        r->call = unit_call_free(r->call);
        if (!str_equal(result, "done"))
                log_error("%s could not be restarted: %s. polkit has to allow it, see md-manager.conf(5), RestartIfNotServedSec=.", r->unit,
                          result ? result : str_or(why, "out of memory"));
        MAP_FOREACH(r->served->looks, name, k)
                if (str_equal(k->unit, r->unit))
                        k->next_usec = 0;
        plan(r->served);
}

static Restart *find_restart(Served *s, const char *unit) {
        Restart *r = map_get(s->restarts, unit);

        if (r)
                return r;
        r = calloc(1, sizeof(*r));
        if (!r)
                return NULL;
        r->served = s;
        r->unit = strdup(unit);
        if (!r->unit || map_put(s->restarts, unit, r) < 0) {
                restart_free(r);
                return NULL;
        }
        return r;
}

static void restart(Served *s, const ServedLook *k) {
        LogField fields[] = { { "MD_NAME", k->name }, { "MD_EVENT", event_kind_to_string(EVENT_SERVED_DIFFERS) }, { "MD_UNIT", k->unit } };
        uint64_t now = clock_monotonic_usec();
        Restart *r = find_restart(s, k->unit);
        int error;

        if (!r || r->call || (r->when_usec > 0 && now - r->when_usec < RESTART_INTERVAL_USEC))
                return;
        r->when_usec = now;
        log_full(LOG_WARNING, 0, MESSAGE_SERVED_DIFFERS, fields, ELEMENTSOF(fields), "%s: Restarting %s, which goes on showing another certificate.", k->name, k->unit);
        error = unit_call_new(s->manager->bus, UNIT_RESTART, k->unit, RESTART_TIMEOUT_USEC, on_restarted, r, &r->call);
        if (error < 0)
                (void) log_failure(error, "Cannot ask systemd to restart %s: %m", k->unit);
}

/* When it is looked at again: less and less often, and when a restart is due. */
static void put_off(Served *s, ServedLook *k) {
        uint64_t now = clock_monotonic_usec(), after = s->manager->settings.restart_not_served_usec;

        if (k->failures++ == 0)
                k->since_usec = now;
        k->next_usec = usec_add(now, MIN_OF(AGAIN_USEC << MIN_OF(k->failures - 1, 10U), AGAIN_MAX_USEC));
        if (after == 0 || !k->unit)
                return;
        if (now >= usec_add(k->since_usec, after))
                restart(s, k);
        else
                k->next_usec = MIN_OF(k->next_usec, usec_add(k->since_usec, after));
}

static void tell_difference(Domain *d, ServedLook *k) {
        bool known = k->difference && str_equal(k->difference->detail, k->found->detail);

        problem_free(k->difference);
        k->difference = take_ptr(k->found);
        if (known)
                return;
        event_tell(d, EVENT_SERVED_DIFFERS, k->difference, "%s", k->difference->detail);
        domain_save_job(d);
}

static void note_seen(Domain *d, const ServedLook *k) {
        LogField fields[] = { { "MD_NAME", k->name } };

        d->seen = true;
        d->job->seen_usec = MAX_OF(clock_now_usec(), d->job->installed_usec);
        log_full(k->failures > 0 ? LOG_NOTICE : LOG_DEBUG, 0, NULL, fields, ELEMENTSOF(fields), "%s: The newest certificate was seen at all listeners.", k->name);
        domain_save_job(d);
}

void served_conclude(Served *s, ServedLook *k) {
        Domain *d = manager_find_domain(s->manager, k->name);

        served_dismiss(s, k);
        if (!d) {
                served_forget(s, k->name);
                return;
        }
        if (k->found) {
                tell_difference(d, k);
                put_off(s, k);
        } else {
                note_seen(d, k);
                served_forget(s, DOMAIN_NAME(d));
        }
        domain_changed(d);
}
