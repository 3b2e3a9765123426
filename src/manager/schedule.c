/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/schedule.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/launcher-client.h"
#include "bus/unit-name.h"
#include "manager/manager-bus.h"
#include "manager/task.h"
#include "manager/turns.h"

/* The manager's own clock comes this long after a timer unit that did not bring a worker. */
#define GRACE_USEC (60 * USEC_PER_SEC)

/* After the launcher, or systemd, could not set one. Soon at first, because the launcher may just have ended, for instance for an upgrade of its package; then twice as long
 * each time. */
#define RETRY_FIRST_USEC (2 * USEC_PER_SEC)
#define RETRY_MAX_USEC (60 * USEC_PER_SEC)

enum { CROWD = 8 }; /* tasks that wait for a place */
#define CROWD_MAX_USEC (5 * USEC_PER_SEC)

/* One call of the launcher under way for a domain; by name, because the domain may go away meanwhile. */
typedef struct TimerCall {
        Schedule *schedule;
        char *name;
        uint64_t when_usec; /* 0: to be stopped */
        sd_bus_slot *slot;
} TimerCall;

struct Schedule {
        Manager *manager;
        Domain **waiting; /* the nearest of those that want a time, in order */
        size_t n_waiting;
        Map *calls; /* name → TimerCall */
        sd_event_source *plan;  /* deferred */
        sd_event_source *later; /* while much is going on */
        uint64_t crowded_usec;  /* monotonic: since when; 0: it is not */
        sd_event_source *alarm; /* our own clock */
        sd_event_source *retry; /* while timer units cannot be set; none is tried until then */
        uint64_t retry_usec;    /* how long after the next failure */
        char *trouble;          /* why they cannot; NULL: they can */
};

static TimerCall *timer_call_free(TimerCall *c) {
        if (!c)
                return NULL;
        sd_bus_slot_unref(c->slot);
        free(c->name);
        free(c);
        return NULL;
}

static bool is_nearer(const Domain *x, const Domain *y) {
        if (x->wanted_usec != y->wanted_usec)
                return x->wanted_usec < y->wanted_usec;
        return strcmp(DOMAIN_NAME(x), DOMAIN_NAME(y)) < 0;
}

static int compare(const void *a, const void *b) {
        const Domain *x = *(Domain *const *) a, *y = *(Domain *const *) b;

        return is_nearer(x, y) ? -1 : is_nearer(y, x) ? 1 : 0;
}

/* Of so many, those that may have a timer unit and the first behind them are all that has to be known. */
static size_t limit(const Schedule *s) {
        return (size_t) s->manager->settings.max_timers + 1;
}

static void swap(Domain **a, Domain **b) {
        Domain *other = *a;

        *a = *b;
        *b = other;
}

/* A heap with the farthest on top, which makes place for a nearer one. */
static void sink(Schedule *s) {
        for (size_t i = 0, child; (child = 2 * i + 1) < s->n_waiting; i = child) {
                if (child + 1 < s->n_waiting && is_nearer(s->waiting[child], s->waiting[child + 1]))
                        child++;
                if (!is_nearer(s->waiting[i], s->waiting[child]))
                        return;
                swap(&s->waiting[i], &s->waiting[child]);
        }
}

static void rise(Schedule *s) {
        for (size_t i = s->n_waiting - 1; i > 0 && is_nearer(s->waiting[(i - 1) / 2], s->waiting[i]); i = (i - 1) / 2)
                swap(&s->waiting[i], &s->waiting[(i - 1) / 2]);
}

static void consider(Schedule *s, Domain *d) {
        if (s->n_waiting < limit(s)) {
                s->waiting[s->n_waiting++] = d;
                rise(s);
        } else if (is_nearer(d, s->waiting[0])) {
                s->waiting[0] = d;
                sink(s);
        }
}

static int collect(Schedule *s) {
        const char *name;
        Domain *d;

        s->n_waiting = 0;
        if (!s->waiting)
                s->waiting = calloc(limit(s), sizeof(*s->waiting));
        if (!s->waiting)
                return -ENOMEM;
        MAP_FOREACH(s->manager->domains, name, d)
                if (d->wanted_usec != 0)
                        consider(s, d);
        if (s->n_waiting > 1)
                qsort(s->waiting, s->n_waiting, sizeof(*s->waiting), compare);
        return 0;
}

static void plan_soon(Schedule *s) {
        (void) sd_event_source_set_enabled(s->plan, SD_EVENT_ONESHOT);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        schedule_retry(userdata);
        return 0;
}

void schedule_retry(Schedule *s) {
        s->retry = sd_event_source_disable_unref(s->retry);
        plan_soon(s);
}

/* Told once, however many timers and attempts it concerns. */
static void note_failure(Schedule *s, const char *name, const sd_bus_error *error) {
        _auto_free_ char *why = bus_error_reason(error);

        if (!s->trouble || !str_equal(s->trouble, why))
                log_error("%s: Its timer was not set: %s. The manager's own clock stands in as long as it runs.", name, str_or(why, "out of memory"));
        (void) str_replace(&s->trouble, str_or(why, "out of memory"));
        if (s->retry)
                return;
        (void) sd_event_add_time_relative(s->manager->event, &s->retry, CLOCK_MONOTONIC, s->retry_usec, USEC_PER_SEC, on_retry, s);
        s->retry_usec = MIN_OF(2 * s->retry_usec, RETRY_MAX_USEC);
}

static void note_success(Schedule *s, Domain *d, uint64_t when_usec) {
        if (d)
                d->armed_usec = when_usec;
        if (when_usec != 0) {
                free(take_ptr(s->trouble));
                s->retry = sd_event_source_disable_unref(s->retry);
                s->retry_usec = RETRY_FIRST_USEC;
        }
        plan_soon(s); /* what was wanted may be another time by now */
}

static void on_launched(const char *unit, const sd_bus_error *error, void *userdata) {
        TimerCall *c = userdata;
        Schedule *s = c->schedule;
        Domain *d = manager_find_domain(s->manager, c->name);

        if (unit)
                note_success(s, d, c->when_usec);
        else
                note_failure(s, c->name, error);
        (void) map_remove(s->calls, c->name);
        timer_call_free(c);
        if (d && d->faulty == !!unit) /* whether all is well with it may have changed */
                domain_changed(d);
}

const char *schedule_trouble(const Schedule *s, const Domain *d) {
        size_t n = MIN_OF(s->n_waiting, (size_t) s->manager->settings.max_timers);

        if (!s->trouble || d->wanted_usec == 0 || d->armed_usec == d->wanted_usec)
                return NULL;
        for (size_t i = 0; i < n; i++)
                if (s->waiting[i] == d)
                        return s->trouble;
        return NULL; /* the manager's own clock is all that is meant for it */
}

static int set_timer_unit(Schedule *s, const char *domain, uint64_t when_usec) {
        _auto_free_ char *unit = NULL;
        TimerCall *c;
        int r;

        if (map_get(s->calls, domain))
                return 0; /* its end brings us back */
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->schedule = s;
        c->when_usec = when_usec;
        c->name = strdup(domain);
        unit = unit_name_for_renewal(domain, ".timer");
        if (!c->name || !unit)
                r = -ENOMEM;
        else if (when_usec != 0)
                r = launcher_arm_timer(s->manager->bus, domain, when_usec, &c->slot, on_launched, c);
        else
                r = launcher_cancel(s->manager->bus, unit, &c->slot, on_launched, c);
        if (r >= 0)
                r = map_put(s->calls, domain, c);
        if (r < 0)
                timer_call_free(c);
        return r < 0 ? r : 0;
}

static int on_alarm(sd_event_source *source, uint64_t usec, void *userdata) {
        Schedule *s = userdata;
        uint64_t now = clock_now_usec();
        const char *name;
        Domain *d;

        MAP_FOREACH(s->manager->domains, name, d) {
                if (d->wanted_usec == 0 || d->wanted_usec > now)
                        continue;
                d->armed_usec = 0;
                turns_add(s->manager->turns, d);
        }
        plan_soon(s);
        return 0;
}

/* Wakes us when the nearest is due: at once for those without a timer unit, with some grace for the others. */
static void set_alarm(Schedule *s) {
        uint64_t at = 0, now = clock_now_usec();
        int r;

        s->alarm = sd_event_source_disable_unref(s->alarm);
        for (size_t i = 0; i < s->n_waiting && i <= s->manager->settings.max_timers; i++) {
                const Domain *d = s->waiting[i];
                uint64_t t = usec_add(d->wanted_usec, d->armed_usec == d->wanted_usec ? GRACE_USEC : 0);

                t = MAX_OF(t, usec_add(now, USEC_PER_SEC)); /* what could not begin just now is not tried without pause */
                if (at == 0 || t < at)
                        at = t;
        }
        if (at == 0)
                return;
        r = sd_event_add_time(s->manager->event, &s->alarm, CLOCK_REALTIME, at, USEC_PER_SEC, on_alarm, s);
        if (r < 0)
                (void) log_failure(r, "Cannot set the manager's own clock: %m");
}

static int on_later(sd_event_source *source, uint64_t usec, void *userdata) {
        Schedule *s = userdata;

        s->later = sd_event_source_disable_unref(s->later);
        plan_soon(s);
        return 0;
}

/* Many certificates come one after the other, and with each the nearest renewals are others: timer units are set when that is over, or after some seconds. Our own
 * clock stands in. */
static bool is_crowded(Schedule *s) {
        uint64_t now = clock_monotonic_usec();

        if (task_count_queued(s->manager, NULL) < CROWD) {
                s->crowded_usec = 0;
                return false;
        }
        if (s->crowded_usec == 0)
                s->crowded_usec = now;
        if (now - s->crowded_usec > CROWD_MAX_USEC) {
                s->crowded_usec = now;
                return false;
        }
        if (!s->later)
                (void) sd_event_add_time_relative(s->manager->event, &s->later, CLOCK_MONOTONIC, CROWD_MAX_USEC / 10, 0, on_later, s);
        return s->later;
}

static void set_timer(Schedule *s, const Domain *d, uint64_t when_usec) {
        int r = set_timer_unit(s, DOMAIN_NAME(d), when_usec);

        if (r < 0)
                (void) log_failure(r, "%s: Cannot ask for a timer: %m", DOMAIN_NAME(d));
}

/* Those that are not among the nearest 'n' any more. */
static void disarm(Schedule *s, size_t n) {
        const Domain *last = n > 0 ? s->waiting[n - 1] : NULL;
        const char *name;
        Domain *d;

        MAP_FOREACH(s->manager->domains, name, d)
                if (d->armed_usec != 0 && d->wanted_usec != 0 && (!last || is_nearer(last, d)) && !s->retry)
                        set_timer(s, d, 0);
}

/* For the nearest 'n'. */
static void set_timer_units(Schedule *s, size_t n) {
        disarm(s, n);
        for (size_t i = 0; i < n && !s->retry; i++)
                if (s->waiting[i]->armed_usec != s->waiting[i]->wanted_usec && s->waiting[i]->wanted_usec > clock_now_usec())
                        set_timer(s, s->waiting[i], s->waiting[i]->wanted_usec);
}

static int plan(sd_event_source *source, void *userdata) {
        Schedule *s = userdata;
        int r;

        r = collect(s);
        if (r < 0)
                return log_failure(r, "Cannot plan: %m");
        if (!is_crowded(s))
                set_timer_units(s, MIN_OF(s->n_waiting, (size_t) s->manager->settings.max_timers));
        set_alarm(s);
        manager_bus_changed(s->manager);
        return 0;
}

int schedule_new(Manager *m, Schedule **ret) {
        Schedule *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->manager = m;
        s->retry_usec = RETRY_FIRST_USEC;
        s->calls = map_new();
        r = s->calls ? sd_event_add_defer(m->event, &s->plan, plan, s) : -ENOMEM;
        if (r < 0) {
                schedule_free(s);
                return r;
        }
        (void) sd_event_source_set_enabled(s->plan, SD_EVENT_OFF);
        (void) sd_event_source_set_priority(s->plan, SD_EVENT_PRIORITY_IDLE); /* once for all changes of a round */
        *ret = s;
        return 0;
}

static void release_call(void *call) {
        timer_call_free(call);
}

Schedule *schedule_free(Schedule *s) {
        if (!s)
                return NULL;
        map_free_with(s->calls, release_call);
        sd_event_source_disable_unref(s->plan);
        sd_event_source_disable_unref(s->alarm);
        sd_event_source_disable_unref(s->later);
        sd_event_source_disable_unref(s->retry);
        free(s->trouble);
        free(s->waiting);
        free(s);
        return NULL;
}

void schedule_update(Schedule *s, Domain *d) {
        if (d->wanted_usec == 0 && d->armed_usec != 0) {
                if (set_timer_unit(s, DOMAIN_NAME(d), 0) == 0)
                        d->armed_usec = 0;
        }
        plan_soon(s);
}

void schedule_remove(Schedule *s, Domain *d) {
        d->wanted_usec = 0;
        for (size_t i = 0; i < s->n_waiting; i++)
                if (s->waiting[i] == d) {
                        memmove(&s->waiting[i], &s->waiting[i + 1], (s->n_waiting - i - 1) * sizeof(*s->waiting));
                        s->n_waiting--;
                        break;
                }
        if (d->armed_usec != 0)
                (void) set_timer_unit(s, DOMAIN_NAME(d), 0);
        plan_soon(s);
}

void schedule_clear(Schedule *s, const char *name) {
        int r = set_timer_unit(s, name, 0);

        if (r < 0)
                (void) log_failure(r, "%s: Cannot ask for the end of its timer: %m", name);
}

const Domain *schedule_next(const Schedule *s) {
        return s->n_waiting > 0 ? s->waiting[0] : NULL;
}
