/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/refusal.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "manager/event.h"

/* In the log of job.json: it was mended. */
#define ACCEPTED "accepted"

/* What the log says of it last; NULL: nothing. */
static const JobLogEntry *last_word(const Job *job) {
        for (size_t i = 0; i < job->n_log; i++)
                if (str_equal(job->log[i].type, event_log_type(EVENT_CONFIGURATION_REFUSED)) || str_equal(job->log[i].type, ACCEPTED))
                        return &job->log[i];
        return NULL;
}

static bool is_told(const Domain *d, const char *text) {
        const JobLogEntry *last = last_word(d->job);

        return last && !str_equal(last->type, ACCEPTED) && str_equal(last->detail, text);
}

static void tell(Domain *d) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_SETTING, "The server disabled it: %s", d->config->refused);

        if (!p || is_told(d, p->detail))
                return;
        event_tell(d, EVENT_CONFIGURATION_REFUSED, p, "%s", p->detail);
        domain_save_job(d);
}

static void take_back(Domain *d) {
        const JobLogEntry *last = last_word(d->job);

        if (!last || str_equal(last->type, ACCEPTED))
                return;
        (void) job_log_add(d->job, clock_now_usec(), ACCEPTED, NULL, "The server manages it again");
        domain_save_job(d);
}

void refusal_update(Domain *d) {
        if (d->refusal_known && str_equal(d->refusal, d->config->refused))
                return;
        d->refusal_known = true;
        if (d->config->refused)
                tell(d);
        else
                take_back(d);
        if (str_replace(&d->refusal, d->config->refused) < 0)
                (void) log_oom();
}
