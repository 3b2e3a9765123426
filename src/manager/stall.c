/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/stall.h"

#include "base/clock.h"
#include "base/string-util.h"
#include "manager/event.h"
#include "manager/reload.h"
#include "manager/schedule.h"
#include "manager/turns.h"

/* A time that has passed by this much without anybody acting on it is none any more. */
#define OVERDUE_USEC (5 * USEC_PER_MINUTE)
#define AGAIN_USEC USEC_PER_MINUTE

static bool is_armed(const Domain *d, uint64_t now_usec) {
        return d->wanted_usec != 0 && usec_add(d->wanted_usec, OVERDUE_USEC) >= now_usec;
}

/* For which a domain is left alone. */
static bool is_stated(DecisionReason reason) {
        return reason == REASON_MANUAL || reason == REASON_UNUSED || reason == REASON_REFUSED;
}

/* Its reload is on its way, is tried again, or waits for somebody who was told. */
static bool is_reloaded(const Domain *d) {
        return d->reload_told || reload_is_coming(d) || reload_trouble(d) || reload_excuse(d);
}

bool stall_is(const Domain *d, uint64_t now_usec) {
        if (!d->managed || d->renewal || d->activation_retry || is_armed(d, now_usec))
                return false;
        switch (d->decision.action) {

        case DECISION_NOTHING:
                return !is_stated(d->decision.reason);

        case DECISION_INSTALL:
                return !is_reloaded(d);

        default:
                return true;
        }
}

/* What is looked at once a minute is told once a day. */
static bool is_told(const Domain *d, uint64_t now_usec) {
        for (size_t i = 0; i < d->job->n_log; i++) {
                const JobLogEntry *entry = &d->job->log[i];

                if (str_equal(entry->type, event_log_type(EVENT_STALLED)) && entry->when_usec <= now_usec)
                        return now_usec - entry->when_usec < event_kind_interval_usec(EVENT_STALLED);
        }
        return false;
}

static void tell(Domain *d, uint64_t again_usec) {
        const char *action = decision_action_to_string(d->decision.action);
        char when[CLOCK_HUMAN_MAX];

        event_tell(d, EVENT_STALLED, NULL, "Nothing would have happened to it any more: no timer was armed, no job is running, and there is no reason for that (%s: %s). It is looked at again at %s",
                   str_or(action, "undecided"), str_or(d->decision.detail, "no reason given"), clock_format_utc(when, again_usec));
        domain_save_job(d);
}

static void arm(Domain *d, uint64_t usec) {
        d->stalled = true;
        d->wanted_usec = usec;
        schedule_update(d->manager->schedule, d);
        domain_changed(d);
}

void stall_decided(Domain *d) {
        if (d->stalled)
                d->manager->stalls_due = true;
        d->stalled = false;
}

void stall_look(Manager *m) {
        uint64_t now = clock_now_usec(), again = usec_add(now, AGAIN_USEC);
        const char *name;
        Domain *d;

        if (!m->stalls_due || !m->adopted || !turns_are_over(m->turns))
                return;
        m->stalls_due = false;
        MAP_FOREACH(m->domains, name, d) {
                if (!stall_is(d, now))
                        continue;
                if (!is_told(d, now))
                        tell(d, again);
                arm(d, again);
        }
}
