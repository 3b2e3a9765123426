/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/activation.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "manager/event.h"
#include "manager/reload.h"
#include "manager/targets.h"
#include "store/activate.h"
#include "store/archive.h"
#include "store/domain.h"

#define BUSY_RETRY_USEC (50 * USEC_PER_MSEC)
#define FAILED_RETRY_USEC (30 * USEC_PER_SEC)

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        Domain *d = userdata;

        d->activation_retry = sd_event_source_disable_unref(d->activation_retry);
        domain_evaluate(d);
        return 0;
}

static void retry_in(Domain *d, uint64_t usec) {
        int r = sd_event_add_time_relative(d->manager->event, &d->activation_retry, CLOCK_MONOTONIC, usec, 0, on_retry, d);

        if (r < 0)
                (void) log_failure(r, "%s: Cannot set a timer: %m", DOMAIN_NAME(d));
}

/* The set that could not be made live stays in staging; whatever is live goes on being served. */
static void tell_failed(Domain *d, int r) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_STORE, "Cannot move the new certificate from %s/" STORE_STAGING "/%s to " STORE_DOMAINS "/%s: %s",
                                                store_path(d->manager->store), DOMAIN_NAME(d), DOMAIN_NAME(d), strerror(r < 0 ? -r : EIO));

        if (!p)
                return;
        if (!d->job->last || !str_equal(d->job->last->detail, p->detail)) {
                event_tell(d, EVENT_ERRORED, p, "%s", p->detail);
                problem_free(d->job->last);
                d->job->last = take_ptr(p);
        }
}

static void tell_renewed(Domain *d) {
        char until[CLOCK_HUMAN_MAX];

        if (d->job->rolled_back)
                event_tell(d, EVENT_ROLLED_BACK, NULL, "An earlier certificate was put back from the archive, valid until %s", clock_format_utc(until, domain_valid_until_usec(d)));
        else
                event_tell(d, EVENT_RENEWED, NULL, "A new certificate is in the store, valid until %s", clock_format_utc(until, domain_valid_until_usec(d)));
}

static bool any_is_revoked(const Domain *d) {
        for (size_t i = 0; i < d->live.n; i++)
                if (strv_contains(d->job->revoked, d->live.items[i].sha256))
                        return true;
        return false;
}

/* Until when what the servers have is good, once another set is live: until it ends, or not any more, when it was revoked, does not fit the domain, or is to be replaced
 * by an earlier one. When they never had the live set, what they have is older. */
static uint64_t replaced_until(const Domain *d) {
        uint64_t now = clock_now_usec();

        if (d->live.n == 0)
                return 0;
        if (any_is_revoked(d) || d->decision.state == DOMAIN_STATE_INCOMPLETE || d->job->rollback > 0)
                return now;
        return d->served ? domain_valid_until_usec(d) : d->job->replaced_until_usec;
}

void activation_start(Domain *d) {
        Manager *m = d->manager;
        JobPhase before = d->job->phase;
        uint64_t activated_before = d->job->activated_usec, rollback = d->job->rollback;
        bool rolled_back_before = d->job->rolled_back;
        int r;

        /* Written first: the set that becomes live carries a copy. A crash before the exchange leaves a complete set in staging, which is looked at
         * before this word is. */
        d->job->phase = JOB_PHASE_ACTIVATED;
        d->job->activated_usec = clock_now_usec();
        d->job->replaced_until_usec = replaced_until(d);
        d->job->asked = false;
        d->job->rolled_back = rollback > 0;
        domain_save_job(d);
        r = store_activate(m->store, DOMAIN_NAME(d), &d->config->keys);
        if (r == STORE_ACTIVATE_E_INCOMPLETE && rollback > 0)
                (void) store_staging_discard(m->store, DOMAIN_NAME(d)); /* its keys are for no order */
        if (r != STORE_ACTIVATE_DONE) {
                d->job->activated_usec = activated_before;
                d->job->rolled_back = rolled_back_before;
                if (r == STORE_ACTIVATE_E_INCOMPLETE)
                        d->job->rollback = 0;
                d->job->phase = r != STORE_ACTIVATE_E_INCOMPLETE ? before : rollback > 0 ? JOB_PHASE_IDLE : JOB_PHASE_ORDERING;
                domain_save_job(d);
                if (r != STORE_ACTIVATE_E_BUSY)
                        tell_failed(d, r);
                retry_in(d, r == STORE_ACTIVATE_E_BUSY ? BUSY_RETRY_USEC : FAILED_RETRY_USEC);
                return;
        }
        job_forget_order(d->job);
        d->job->rollback = 0;
        if (str_replace(&d->job->live_ca_url, d->job->ca_url) < 0 || str_replace(&d->job->live_account, d->job->account) < 0)
                (void) log_oom();
        d->job->errors = d->job->ca_errors = 0;
        d->job->next_run_usec = 0;
        d->job->last = problem_free(d->job->last);
        d->job->finished = true;
        d->reload_told = false;
        d->live_since_usec = clock_monotonic_usec();
        d->seen = false;
        domain_forget_facts(d);
        if (rollback > 0) /* it is the live one now; the one that was live came to the archive */
                (void) store_archive_remove(m->store, DOMAIN_NAME(d), rollback);
        (void) store_archive_prune(m->store, DOMAIN_NAME(d), m->settings.archive_keep);
        domain_learn_facts(d);
        tell_renewed(d);
        domain_evaluate(d); /* has the servers reloaded */
        domain_save_job(d);
}

static bool is_used_with_tls(const Domain *d) {
        for (size_t i = 0; i < d->n_servers; i++)
                if (d->servers[i].view->used_tls)
                        return true;
        return false;
}

/* The times are kept in whole seconds: of two sets within one, the phase knows. */
static bool is_told(const Job *job) {
        return job->phase != JOB_PHASE_ACTIVATED && job->installed_usec >= job->activated_usec;
}

/* It became live, and we died before we could say so: what was told last is older. */
static bool renewed_is_untold(const Domain *d) {
        for (size_t i = 0; i < d->job->n_log; i++)
                if (str_equal(d->job->log[i].type, event_log_type(d->job->rolled_back ? EVENT_ROLLED_BACK : EVENT_RENEWED)))
                        return d->job->log[i].when_usec / USEC_PER_SEC < d->job->activated_usec / USEC_PER_SEC;
        return true;
}

void activation_check_installed(Domain *d) {
        if (d->job->phase == JOB_PHASE_ACTIVATED && d->decision.action != DECISION_ACTIVATE && d->live.n > 0 && renewed_is_untold(d)) {
                tell_renewed(d);
                d->job->rollback = 0;
                domain_save_job(d);
        }
        if (is_told(d->job) || d->decision.action == DECISION_ACTIVATE || !d->served)
                return;
        if (d->job->phase == JOB_PHASE_ACTIVATED)
                d->job->phase = JOB_PHASE_IDLE;
        d->job->installed_usec = clock_now_usec();
        d->job->replaced_until_usec = 0;
        d->seen = false;
        event_tell(d, EVENT_INSTALLED, NULL, "%s", is_used_with_tls(d) ? "The server serves the new certificate" : "The new certificate is in place; no virtual host with TLS uses it");
        domain_save_job(d);
        targets_want(d->manager);
}
