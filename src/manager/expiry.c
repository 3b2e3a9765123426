/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/expiry.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "manager/event.h"
#include "manager/turns.h"

/* A bit longer than its hook is not called again, which may have taken its time. */
#define AGAIN_USEC (USEC_PER_DAY + 2 * USEC_PER_MINUTE)

struct Expiry {
        Manager *manager;
        sd_event_source *clock;
        uint64_t at_usec; /* what it is set to; 0: it is not */
};

int expiry_new(Manager *m, Expiry **ret) {
        Expiry *e = calloc(1, sizeof(*e));

        if (!e)
                return -ENOMEM;
        e->manager = m;
        *ret = e;
        return 0;
}

Expiry *expiry_free(Expiry *e) {
        if (!e)
                return NULL;
        sd_event_source_disable_unref(e->clock);
        free(e);
        return NULL;
}

/* What was told of an earlier certificate was far from the end of this one. */
static ExpiryStep step_at(const Domain *d, uint64_t usec, uint64_t *ret_next) {
        uint64_t warn = decision_warn_at_usec(d->config, domain_used_facts(d));

        if (ret_next)
                *ret_next = 0;
        return warn == 0 ? EXPIRY_FAR : expiry_step(warn, domain_valid_until_usec(d), usec, ret_next);
}

ExpiryStep expiry_step_of(const Domain *d) {
        return step_at(d, clock_now_usec(), NULL);
}

static uint64_t last_told_usec(const Job *job) {
        for (size_t i = 0; i < job->n_log; i++)
                if (str_equal(job->log[i].type, event_log_type(EVENT_EXPIRING)))
                        return job->log[i].when_usec;
        return 0;
}

/* The next step, or, when it has been told on this one, a day after that. */
static uint64_t next_usec(const Domain *d) {
        uint64_t next, now = clock_now_usec(), told = last_told_usec(d->job);

        if (step_at(d, now, &next) == EXPIRY_FAR || told == 0)
                return next;
        return next == 0 ? usec_add(told, AGAIN_USEC) : MIN_OF(next, usec_add(told, AGAIN_USEC));
}

static bool is_to_be_told(const Domain *d) {
        uint64_t now = clock_now_usec(), told = last_told_usec(d->job);
        ExpiryStep step = step_at(d, now, NULL);

        if (step == EXPIRY_FAR)
                return false;
        /* Times are kept in whole seconds: one told at the begin of a step was not told before it. */
        return told > now || step > step_at(d, usec_add(told, USEC_PER_SEC), NULL) || now - told >= AGAIN_USEC;
}

/* --- The clock --- */

static void set_clock(Expiry *e, uint64_t usec);

static int on_clock(sd_event_source *source, uint64_t usec, void *userdata) {
        Expiry *e = userdata;
        uint64_t next = 0, at;
        const char *name;
        Domain *d;

        e->at_usec = 0;
        MAP_FOREACH(e->manager->domains, name, d) {
                if (!d->managed)
                        continue;
                if (is_to_be_told(d))
                        turns_add(e->manager->turns, d);
                at = next_usec(d);
                if (at > clock_now_usec() && (next == 0 || at < next))
                        next = at;
        }
        set_clock(e, next);
        return 0;
}

static void set_clock(Expiry *e, uint64_t usec) {
        int r;

        e->clock = sd_event_source_disable_unref(e->clock);
        e->at_usec = usec;
        if (usec == 0)
                return;
        r = sd_event_add_time(e->manager->event, &e->clock, CLOCK_REALTIME, usec, USEC_PER_SEC, on_clock, e);
        if (r < 0)
                (void) log_failure(r, "Cannot set the clock for certificates that expire: %m");
}

/* --- One domain --- */

static void tell(Domain *d) {
        uint64_t now = clock_now_usec(), until = domain_valid_until_usec(d);
        const Problem *last = d->job->errors > 0 ? d->job->last : NULL;
        char when[CLOCK_HUMAN_MAX];

        event_tell(d, EVENT_EXPIRING, last, "The certificate %s %s, and it is not renewed yet: %s", until <= now ? "expired" : "expires", clock_format_relative(when, until, now),
                   last ? last->detail : str_or(d->decision.detail, "no reason is known"));
        domain_save_job(d);
}

void expiry_update(Expiry *e, Domain *d) {
        uint64_t next;

        if ((d->decision.action == DECISION_NOTHING || d->decision.action == DECISION_WAIT) && is_to_be_told(d))
                tell(d);
        next = e ? next_usec(d) : 0;
        if (next > clock_now_usec() && (e->at_usec == 0 || next < e->at_usec))
                set_clock(e, next);
}
