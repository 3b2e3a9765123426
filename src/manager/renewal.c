/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/renewal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "domain/backoff.h"
#include "manager/accounts.h"
#include "manager/ca.h"
#include "manager/challenge-answer.h"
#include "manager/challenges.h"
#include "manager/consent.h"
#include "manager/deliver.h"
#include "manager/event.h"
#include "manager/job-bus.h"
#include "manager/local-exchange.h"
#include "manager/order.h"
#include "manager/renewal-keys.h"
#include "manager/sign.h"
#include "manager/tailscale.h"
#include "manager/worker-bus.h"
#include "manager/worker-order.h"
#include "store/domain.h"

/* How long a unit may take until its worker asks for the job. */
#define START_TIMEOUT_USEC (90 * USEC_PER_SEC)

static void release(Task *t) {
        Renewal *r = renewal_of(t);

        if (r->domain->renewal == r)
                r->domain->renewal = NULL;
        challenge_call_free(r->consent);
        unit_call_free(r->start);
        local_exchange_free(r->exchange);
        sd_bus_message_unref(r->finalize);
        for (size_t i = 0; i < ELEMENTSOF(r->keys); i++) {
                key_request_free(r->keys[i].request);
                EVP_PKEY_free(r->keys[i].key);
        }
        challenge_setups_free(r->setups);
        challenge_answers_free(r->answers);
        strv_free(r->binding.challenge_urls);
        free(r->finalize_nonce);
        task_done(t);
        free(r);
}

bool renewal_goes_on(const Domain *d, const ManagedDomain *staged, const ManagedDomain *settings, const char *ca_url) {
        return d->job->phase == JOB_PHASE_ORDERING && str_equal(d->job->ca_url, ca_url) && strv_equal(staged->names, settings->names) && order_fits(staged, settings);
}

static int prepare_staging(Renewal *r) {
        Domain *d = r->domain;
        _cleanup_(managed_domain_freep) ManagedDomain *staged = NULL;
        bool fits;
        int k;

        k = store_domain_read_md(d->manager->store, STORE_SET_STAGING, DOMAIN_NAME(d), &staged, NULL);
        fits = k == 0 && renewal_goes_on(d, staged, r->task.settings, r->task.ca_url);
        r->inherited = fits;
        if (!fits) {
                challenges_forget(r, staged ? staged->names : NULL);
                job_forget_order(d->job);
                k = store_staging_discard(d->manager->store, DOMAIN_NAME(d));
                if (k < 0)
                        return k;
                k = store_domain_write_md(d->manager->store, STORE_SET_STAGING, r->task.settings);
                if (k != 0)
                        return k < 0 ? k : -EIO;
        }
        if (!str_equal(d->job->ca_url, r->task.ca_url))
                d->job->ca_errors = 0;
        if (str_replace(&d->job->ca_url, r->task.ca_url) < 0)
                return -ENOMEM;
        d->job->phase = JOB_PHASE_ORDERING;
        d->job->finished = false;
        d->job->rollback = 0;
        return 0;
}

int renewal_new(Domain *d, Renewal **ret) {
        Renewal *r = calloc(1, sizeof(*r));
        int k;

        assert(!d->renewal);

        if (!r)
                return log_oom();
        r->domain = d;
        d->renewal = r;
        k = task_init(&r->task, d->manager, &renewal_class, DOMAIN_NAME(d), d->config, ca_choose(d));
        if (k == 0)
                k = str_replace(&r->task.wanted_account, d->job->account);
        if (k < 0) {
                release(&r->task);
                return log_failure(k, "%s: Cannot queue a renewal: %m", DOMAIN_NAME(d));
        }
        renewal_order_keys(r);
        consent_ask(r);
        *ret = r;
        return 0;
}

static void on_unit(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata);

static int start_unit(Renewal *r) {
        return unit_call_new(r->domain->manager->bus, UNIT_START, r->domain->unit, 0, on_unit, r, &r->start);
}

static void on_stopped(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata) {
        Renewal *r = userdata;
        _auto_problem_ Problem *p = NULL;

        r->start = unit_call_free(r->start);
        if (r->task.state == TASK_OPEN || r->task.open || start_unit(r) >= 0)
                return;
        p = problem_new(PROBLEM_TYPE_WORKER, "Cannot start %s", r->domain->unit);
        task_end(&r->task, p);
}

/* A worker of an earlier run may be there still, waiting for the CA and reporting to nobody: a start would only merge with its. */
static int start_unit_alone(Renewal *r) {
        return unit_call_new(r->domain->manager->bus, UNIT_STOP, r->domain->unit, 0, on_stopped, r, &r->start);
}

/* The unit ended, or could not be started. The connection tells more (a worker that goes away without a word); this is for units
 * whose worker never came. */
static void on_unit(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata) {
        Renewal *r = userdata;
        _auto_problem_ Problem *p = NULL;

        r->start = unit_call_free(r->start);
        if (r->task.state == TASK_OPEN || r->task.open)
                return;
        if (result && r->restarts++ == 0) {
                /* The job merged with the end of the run before, whatever became of that: systemd had not seen yet that its worker was leaving. */
                if (start_unit(r) >= 0)
                        return;
        }
        p = result ? problem_new(PROBLEM_TYPE_WORKER, "%s ended without asking for its job (%s); see 'journalctl -u %s'", r->domain->unit, result, r->domain->unit) :
                     problem_from_bus_error(error, PROBLEM_TYPE_WORKER, "Cannot start the worker's unit");
        task_end(&r->task, p);
}

/* What can be known before anything is started. True: go on. */
static bool check_local(Renewal *r, Problem **ret_problem) {
        _auto_strv_ char **types = NULL;

        if (task_is_local(&r->task)) {
                if (!tailscale_socket(r->task.ca_url))
                        (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "With MDCertificateProtocol tailscale, MDCertificateAuthority '%s' is no socket", r->task.ca_url);
                return tailscale_socket(r->task.ca_url) != NULL;
        }
        if (!sign_url_is_valid(r->task.ca_url)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "MDCertificateAuthority '%s' is no https URL", r->task.ca_url);
                return false;
        }
        return challenges_available(r->domain, &types, ret_problem) == 0 && types;
}

/* Nothing is made here, and nobody has an account. */
static int prepare_local(Renewal *r) {
        r->inherited = false;
        return str_replace(&r->domain->job->account, NULL);
}

static int prepare(Task *t, Problem **ret_problem) {
        Renewal *r = renewal_of(t);
        Domain *d = r->domain;
        int k;

        event_tell(d, EVENT_RENEWING, NULL, "A renewal begins: %s", str_or(d->decision.detail, "it is due"));
        if (!check_local(r, ret_problem))
                return -EINVAL;
        k = prepare_staging(r);
        if (k == 0)
                k = task_is_local(t) ? prepare_local(r) : renewal_prepare_keys(r, ret_problem);
        if (k < 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot prepare %s/" STORE_STAGING "/%s: %s", store_path(d->manager->store), DOMAIN_NAME(d),
                                   strerror(-k));
                return k;
        }
        d->job->last_run_usec = clock_now_usec();
        domain_save_job(d);
        return task_set_deadline(t, START_TIMEOUT_USEC);
}

void renewal_start(Renewal *r) {
        _auto_problem_ Problem *p = NULL;
        int k;

        if (task_is_local(&r->task)) {
                tailscale_start(r);
                return;
        }
        k = r->inherited ? start_unit_alone(r) : start_unit(r);
        if (k < 0) {
                p = problem_new(PROBLEM_TYPE_INTERNAL, "Cannot start %s: %s", r->domain->unit, strerror(-k));
                task_end(&r->task, p);
        }
}

void renewal_certificate_came(Renewal *r) {
        Job *job = r->domain->job;

        ca_succeeded(r->domain, r->task.ca_url);
        r->binding.delivered = true;
        job->phase = JOB_PHASE_STAGED;
        job->finished = true;
        job->staged_usec = clock_now_usec();
        domain_save_job(r->domain);
}

/* --- The worker comes --- */

static int choose_account(Task *t, Problem **ret_problem) {
        Renewal *r = renewal_of(t);
        int k;

        k = accounts_choose(t, ret_problem);
        if (k < 0)
                return k;
        if (!str_equal(r->domain->job->account, t->account->id))
                job_forget_order(r->domain->job); /* it belongs to another account */
        r->binding.resumed = r->domain->job->order_url;
        k = str_replace(&r->domain->job->account, t->account->id);
        if (k < 0)
                return k;
        domain_save_job(r->domain);
        return 0;
}

/* It was told what is configured, before the order. */
static int account_done(Task *t, const char *status, Problem **ret_problem) {
        return str_equal(status, "valid") ? accounts_updated(t, ret_problem) : 0;
}

/* A good-bye without a certificate, whatever the reason, is a failure. */
static void on_close(Task *t, const Problem *problem) {
        _auto_problem_ Problem *p = NULL;

        if (!problem)
                p = problem_new(PROBLEM_TYPE_WORKER, "The worker ended without a certificate");
        task_end(t, problem ? problem : p);
}

/* --- The end --- */

static void count_failure(Renewal *r, const Problem *problem) {
        Domain *d = r->domain;
        uint64_t now = clock_now_usec(), base = 30 * USEC_PER_SEC;

        if (d->n_servers > 0 && d->servers[0].snapshot->retry_delay_usec > 0)
                base = d->servers[0].snapshot->retry_delay_usec;
        if (d->job->errors < UINT32_MAX)
                d->job->errors++;
        if (d->job->ca_errors < UINT32_MAX)
                d->job->ca_errors++;
        ca_failed(d, r->task.ca_url, problem);
        /* What this CA said, and how often it failed, does not matter to the next one. */
        d->job->next_run_usec = ca_attempts_left(d) == 0 ? usec_add(now, base) : backoff_next_usec(now, base, d->job->ca_errors, problem, manager_random());
        problem_free(d->job->last);
        d->job->last = problem_copy(problem);
        if (d->job->last && !d->job->last->activity && r->task.activity)
                (void) str_replace(&d->job->last->activity, r->task.activity);
}

/* After the domain has been looked at again: only then is it known whether there is a next try. */
static void tell_failure(Domain *d, unsigned attempt, const Problem *problem) {
        char when[CLOCK_HUMAN_MAX];

        if (d->managed && d->job->next_run_usec > 0 && domain_waiting_for(d) == PROBLEM_CLASS_ADMINISTRATOR)
                event_tell(d, EVENT_ERRORED, problem, "The renewal failed (attempt %u): %s; it waits for you: change the configuration, or say 'mdctl retry %s' when it is mended; next try %s",
                           attempt, problem->detail, DOMAIN_NAME(d), clock_format_utc(when, d->job->next_run_usec));
        else if (d->managed && d->job->next_run_usec > 0)
                event_tell(d, EVENT_ERRORED, problem, "The renewal failed (attempt %u): %s; next try %s", attempt, problem->detail,
                           clock_format_utc(when, d->job->next_run_usec));
        else
                event_tell(d, EVENT_ERRORED, problem, "The renewal failed: %s; it is not tried again by itself: %s", problem->detail,
                           d->managed ? str_or(d->decision.detail, "nothing is due") : "no server names it any more");
        domain_save_job(d);
}

/* What was delivered is what was wanted. Whatever the reason when it is not: asking again at once would never end. */
static Problem *check_delivered(Renewal *r) {
        Domain *d = r->domain;

        if (!r->binding.delivered || !strv_equal(r->task.settings->names, d->config->names) || domain_is_staged(d))
                return NULL;
        r->binding.delivered = false;
        return problem_new(PROBLEM_TYPE_STORE, "The new certificates were delivered, but are not whole in %s/" STORE_STAGING "/%s", store_path(d->manager->store),
                           DOMAIN_NAME(d));
}

/* What is told of a failure: the refusal that the worker only passed on, or the worker's own words. NULL: it went well. */
static Problem *choose_problem(Renewal *r, const Problem *problem) {
        Problem *missing = check_delivered(r), *told;

        if (missing)
                return missing;
        if (!problem || r->binding.delivered)
                return NULL;
        told = problem_copy(r->task.refusal ? r->task.refusal : problem);
        if (told && told->retry_after_usec == 0)
                told->retry_after_usec = problem->retry_after_usec;
        return told;
}

/* What the CA says of a key that may not be the account's any more is no fault of anybody's. Takes 'told'. */
static Problem *check_key(Task *t, const Problem *problem, Problem *told) {
        Problem *p;

        if (!accounts_refused(t, problem))
                return told;
        p = problem_new(PROBLEM_TYPE_WORKER, "%s may know account %s by its new key by now, and is asked for it: %s", t->ca_url, t->account->id, told->detail);
        if (!p)
                return told;
        problem_free(told);
        return p;
}

static void end(Task *t, const Problem *problem) {
        Renewal *r = renewal_of(t);
        Domain *d = r->domain;
        Manager *m = d->manager;
        _auto_problem_ Problem *told = choose_problem(r, problem);
        unsigned attempt;

        if (r->finalize)
                (void) sd_bus_reply_method_errorf(r->finalize, BUS_ERROR_REFUSED, "%s", told ? told->detail : "The renewal has ended");
        challenges_tear_down(r);
        if (told) {
                told = check_key(t, problem, told);
                count_failure(r, told);
        }
        attempt = d->job->errors;
        d->job->asked = d->pressed = false;
        domain_save_job(d);
        job_bus_ended(t, told);
        release(t);

        domain_forget_facts(d);
        domain_evaluate(d);
        if (told)
                tell_failure(d, attempt, told);
        manager_forget_unmanaged(d); /* a server may have dropped it meanwhile */
        manager_kick(m);
}

/* Those that a worker has taken up already go on. */
static bool is_to_be_held(const Task *t) {
        const Renewal *r = renewal_of((Task *) t);

        return r && t->state == TASK_QUEUED && !t->open && !r->start && !r->domain->job->asked && !r->domain->pressed && ca_paused_until(r->domain) > 0;
}

void renewal_hold_queued(Manager *m) {
        _auto_strv_ char **paths = NULL;
        const char *path;
        Task *t;

        MAP_FOREACH(m->tasks, path, t)
                if (is_to_be_held(t) && strv_extend(&paths, path) < 0)
                        break;
        STRV_FOREACH(p, paths) {
                _auto_problem_ Problem *held = NULL;
                Domain *d;

                t = map_get(m->tasks, *p);
                if (!t || !is_to_be_held(t))
                        continue;
                d = renewal_of(t)->domain;
                held = problem_new(PROBLEM_ACME_PREFIX "rateLimited", "%s limits how much it is asked; nothing was asked for %s", t->ca_url, DOMAIN_NAME(d));
                job_bus_ended(t, held);
                release(t);
                domain_evaluate(d);
        }
}

void renewal_decline(Renewal *r, const Problem *p) {
        Domain *d = r->domain;
        Manager *m = d->manager;

        if (r->task.open)
                (void) sd_bus_reply_method_errorf(r->task.open, BUS_ERROR_REFUSED, "%s", p ? p->detail : "It is not wanted");
        d->job->asked = d->pressed = false;
        domain_save_job(d);
        job_bus_ended(&r->task, p);
        release(&r->task);

        domain_forget_facts(d);
        domain_evaluate(d);
        manager_forget_unmanaged(d);
        manager_kick(m);
}

const TaskClass renewal_class = {
        .kind = "renewal",
        .prepare = prepare,
        .choose_account = choose_account,
        .describe = worker_order_describe,
        .sign = sign_for_renewal,
        .account_done = account_done,
        .close = on_close,
        .end = end,
        .release = release,
        .steps_max = 4,
};
