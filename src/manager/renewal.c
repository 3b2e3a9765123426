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
#include "crypto/key.h"
#include "domain/backoff.h"
#include "manager/accounts.h"
#include "manager/challenges.h"
#include "manager/deliver.h"
#include "manager/event.h"
#include "manager/job-bus.h"
#include "manager/sign.h"
#include "manager/worker-bus.h"
#include "store/domain.h"

/* How long a unit may take until its worker asks for the job. */
#define START_TIMEOUT_USEC (90 * USEC_PER_SEC)

static const char *const renewal_state_table[_RENEWAL_STATE_MAX] = {
        [RENEWAL_QUEUED] = "queued",
        [RENEWAL_STARTING] = "starting",
        [RENEWAL_OPEN] = "running",
};

const char *renewal_state_to_string(RenewalState s) {
        return (size_t) s < ELEMENTSOF(renewal_state_table) ? renewal_state_table[s] : NULL;
}

unsigned renewal_count_busy(const Manager *m) {
        const char *path;
        unsigned n = 0;
        Renewal *r;

        MAP_FOREACH(m->renewals, path, r)
                if (r->state != RENEWAL_QUEUED)
                        n++;
        return n;
}

static void binding_done(RenewalBinding *b) {
        free(b->new_account);
        free(b->new_order);
        free(b->terms_of_service);
        strv_free(b->challenge_urls);
        *b = (RenewalBinding){ 0 };
}

Renewal *renewal_free(Renewal *r) {
        Manager *m;

        if (!r)
                return NULL;
        m = r->domain->manager;
        if (r->domain->renewal == r)
                r->domain->renewal = NULL;
        if (r->path && map_get(m->renewals, r->path) == r) {
                job_bus_removed(r);
                (void) map_remove(m->renewals, r->path);
        }
        if (r->sender && map_get(m->workers, r->sender) == r)
                (void) map_remove(m->workers, r->sender);
        unit_call_free(r->start);
        sd_bus_message_unref(r->open);
        sd_bus_message_unref(r->finalize);
        peer_watch_free(r->peer);
        sd_event_source_disable_unref(r->deadline);
        for (size_t i = 0; i < ELEMENTSOF(r->keys); i++) {
                key_request_free(r->keys[i].request);
                EVP_PKEY_free(r->keys[i].key);
        }
        EVP_PKEY_free(r->account_key);
        account_free(r->account);
        binding_done(&r->binding);
        strv_free(r->challenge_names);
        managed_domain_free(r->settings);
        problem_free(r->refusal);
        free(r->finalize_nonce);
        free(r->activity);
        free(r->sender);
        free(r->path);
        free(r);
        return NULL;
}

/* --- The keys: in staging before the CA sees anything made with it, so that an order can be resumed. --- */

static int keep_key(Renewal *r, EVP_PKEY *key, const KeySpec *spec) {
        _auto_secret_ Secret *pem = NULL;
        int k = key_to_pem(key, &pem);

        if (k == 0)
                k = store_domain_write_key(r->domain->manager->store, STORE_SET_STAGING, DOMAIN_NAME(r->domain), spec, pem);
        return k > 0 ? -EIO : k;
}

static size_t index_of_request(const Renewal *r, const KeyRequest *request) {
        size_t i = 0;

        while (r->keys[i].request != request)
                i++;
        assert(i < ELEMENTSOF(r->keys));
        return i;
}

static void on_key(KeyRequest *request, EVP_PKEY *key, const Problem *problem, void *userdata) {
        Renewal *r = userdata;
        size_t i = index_of_request(r, request);
        KeySpec spec = key_specs_get(&r->settings->keys, i);
        _auto_problem_ Problem *copy = problem ? problem_copy(problem) : NULL;
        int k = 0;

        if (key) {
                k = keep_key(r, key, &spec);
                if (k == 0 && EVP_PKEY_up_ref(key) == 1)
                        r->keys[i].key = key;
                else
                        copy = problem_new(PROBLEM_TYPE_STORE, "Cannot write the new private key to %s/" STORE_STAGING "/%s: %s",
                                           store_path(r->domain->manager->store), DOMAIN_NAME(r->domain), strerror(-k));
        }
        r->keys[i].request = key_request_free(request);
        if (!r->keys[i].key)
                renewal_end(r, copy);
        else if (i == r->current)
                worker_bus_key_ready(r);
}

static bool load_staged_key(Renewal *r, const KeySpec *spec, EVP_PKEY **ret) {
        _auto_secret_ Secret *pem = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;

        if (store_domain_read_key(r->domain->manager->store, STORE_SET_STAGING, DOMAIN_NAME(r->domain), spec, &pem) != 0)
                return false;
        if (key_from_pem(pem->data, pem->size, &key, NULL) < 0 || !key_matches_spec(key, spec))
                return false;
        *ret = take_ptr(key);
        return true;
}

/* Staging belongs to one set of names, keys and one CA. What was begun for others is of no use. */
static int prepare_staging(Renewal *r) {
        Domain *d = r->domain;
        _cleanup_(managed_domain_freep) ManagedDomain *staged = NULL;
        bool fits;
        int k;

        k = store_domain_read_md(d->manager->store, STORE_SET_STAGING, DOMAIN_NAME(d), &staged, NULL);
        fits = k == 0 && strv_equal(staged->names, r->settings->names) && str_equal(d->job->ca_url, r->ca_url) &&
               d->job->phase == JOB_PHASE_ORDERING;
        r->inherited = fits;
        if (!fits) {
                challenges_forget(r, staged ? staged->names : NULL);
                job_forget_order(d->job);
                k = store_staging_discard(d->manager->store, DOMAIN_NAME(d));
                if (k < 0)
                        return k;
                k = store_domain_write_md(d->manager->store, STORE_SET_STAGING, r->settings);
                if (k != 0)
                        return k < 0 ? k : -EIO;
        }
        if (str_replace(&d->job->ca_url, r->ca_url) < 0)
                return -ENOMEM;
        d->job->phase = JOB_PHASE_ORDERING;
        return 0;
}

KeySpec renewal_spec(const Renewal *r) {
        return key_specs_get(&r->settings->keys, r->current);
}

static void skip_staged(Renewal *r) {
        while (r->current + 1 < key_specs_count(&r->settings->keys) && r->keys[r->current].staged)
                r->current++;
}

bool renewal_next_spec(Renewal *r) {
        r->keys[r->current].staged = true;
        skip_staged(r);
        if (r->keys[r->current].staged)
                return false;
        challenges_tear_down(r);
        r->binding.challenge_urls = strv_free(r->binding.challenge_urls);
        r->binding.finalized = r->binding.resumed = false;
        job_forget_order(r->domain->job);
        domain_save_job(r->domain);
        return true;
}

static int prepare_key(Renewal *r, size_t i, const CertFactsList *staged) {
        KeySpec spec = key_specs_get(&r->settings->keys, i);
        char name[KEY_SPEC_NAME_MAX];
        const CertFacts *f = cert_facts_find(staged, key_spec_name(&spec, name));

        r->keys[i].staged = f && f->key_matches;
        if (r->keys[i].staged || load_staged_key(r, &spec, &r->keys[i].key))
                return 0;
        return key_request_new(r->domain->manager->keys, &spec, on_key, r, &r->keys[i].request);
}

static int prepare_keys(Renewal *r) {
        CertFactsList staged = { 0 };
        int k;

        k = deliver_read_facts(r->domain, STORE_SET_STAGING, &staged, NULL);
        for (size_t i = 0; k == 0 && i < key_specs_count(&r->settings->keys); i++)
                k = prepare_key(r, i, &staged);
        cert_facts_list_done(&staged);
        if (k < 0)
                return k;
        /* An order whose key is not there was not finalized: the key is in staging before that, and whatever key is made now will do. */
        skip_staged(r);
        return 0;
}

int renewal_new(Domain *d, Renewal **ret) {
        Manager *m = d->manager;
        Renewal *r = calloc(1, sizeof(*r));
        int k;

        assert(!d->renewal);

        if (!r)
                return log_oom();
        r->domain = d;
        r->settings = managed_domain_copy(d->config);
        if (!r->settings) {
                free(r);
                return log_oom();
        }
        r->ca_url = r->settings->ca_urls && r->settings->ca_urls[0] ? r->settings->ca_urls[0] : MANAGED_DOMAIN_CA_URL_DEFAULT;
        r->path = str_printf(BUS_PATH_JOB "/%" PRIu64, ++m->last_id);
        k = r->path ? map_put(m->renewals, r->path, r) : -ENOMEM;
        if (k < 0) {
                renewal_free(r);
                return log_failure(k, "%s: Cannot queue a renewal: %m", DOMAIN_NAME(d));
        }
        d->renewal = r;
        job_bus_added(r);
        manager_kick(m);
        *ret = r;
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        Renewal *r = userdata;
        _auto_problem_ Problem *p =
                r->state == RENEWAL_OPEN ?
                        problem_new(PROBLEM_TYPE_TIMEOUT, "%s did not come to an end in time, while %s", r->ca_url, str_or(r->activity, "talking to it")) :
                        problem_new(PROBLEM_TYPE_WORKER, "%s did not ask for its job in time; see 'journalctl -u %s'", r->domain->unit, r->domain->unit);

        worker_bus_stop_unit(r);
        renewal_end(r, p);
        return 0;
}

static int set_deadline(Renewal *r, uint64_t usec) {
        r->deadline = sd_event_source_disable_unref(r->deadline);
        return sd_event_add_time_relative(r->domain->manager->event, &r->deadline, CLOCK_MONOTONIC, usec, 0, on_deadline, r);
}

static void on_unit(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata);

static int start_unit(Renewal *r) {
        return unit_call_new(r->domain->manager->bus, UNIT_START, r->domain->unit, 0, on_unit, r, &r->start);
}

static void on_stopped(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata) {
        Renewal *r = userdata;
        _auto_problem_ Problem *p = NULL;

        r->start = unit_call_free(r->start);
        if (r->state == RENEWAL_OPEN || r->open || start_unit(r) >= 0)
                return;
        p = problem_new(PROBLEM_TYPE_WORKER, "Cannot start %s", r->domain->unit);
        renewal_end(r, p);
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
        if (r->state == RENEWAL_OPEN || r->open)
                return;
        if (result && r->restarts++ == 0) {
                /* The job merged with the end of the run before, whatever became of that: systemd had not seen yet that its worker was leaving. */
                if (start_unit(r) >= 0)
                        return;
        }
        p = result ? problem_new(PROBLEM_TYPE_WORKER, "%s ended without asking for its job (%s); see 'journalctl -u %s'", r->domain->unit, result, r->domain->unit) :
                     problem_from_bus_error(error, PROBLEM_TYPE_WORKER, "Cannot start the worker's unit");
        renewal_end(r, p);
}

/* What can be known before anything is started. True: go on. */
static bool check_local(Renewal *r, Problem **ret_problem) {
        _auto_strv_ char **types = NULL;

        if (!sign_url_is_valid(r->ca_url)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "MDCertificateAuthority '%s' is no https URL", r->ca_url);
                return false;
        }
        return challenges_available(r->domain, &types, ret_problem) == 0 && types;
}

static int begin(Renewal *r, Problem **ret_problem) {
        Domain *d = r->domain;
        int k;

        if (!check_local(r, ret_problem))
                return -EINVAL;
        k = prepare_staging(r);
        if (k == 0)
                k = prepare_keys(r);
        if (k < 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot prepare %s/" STORE_STAGING "/%s: %s", store_path(d->manager->store), DOMAIN_NAME(d),
                                   strerror(-k));
                return k;
        }
        d->job->last_run_usec = clock_now_usec();
        domain_save_job(d);
        return 0;
}

void renewal_start(Renewal *r) {
        Domain *d = r->domain;
        _auto_problem_ Problem *p = NULL;
        int k;

        r->state = RENEWAL_STARTING;
        r->started_usec = clock_now_usec();
        event_tell(d, EVENT_RENEWING, NULL, "A renewal begins: %s", str_or(d->decision.detail, "it is due"));
        k = begin(r, &p);
        if (k == 0)
                k = set_deadline(r, START_TIMEOUT_USEC);
        if (k == 0 && !r->open)
                k = r->inherited ? start_unit_alone(r) : start_unit(r);
        if (k < 0) {
                if (!p)
                        p = problem_new(PROBLEM_TYPE_INTERNAL, "Cannot start a renewal: %s", strerror(-k));
                renewal_end(r, p);
                return;
        }
        job_bus_changed(r);
        if (r->open)
                renewal_wake_waiting(d->manager, r->ca_url);
}

/* --- The worker comes --- */

static void on_worker_gone(PeerWatch *watch, void *userdata) {
        Renewal *r = userdata;
        _auto_problem_ Problem *p = NULL;

        r->peer = peer_watch_free(r->peer);
        if (r->state == RENEWAL_QUEUED) { /* it was too long in the queue: one is started when it comes to that */
                r->open = sd_bus_message_unref(r->open);
                return;
        }
        p = problem_new(PROBLEM_TYPE_WORKER, "The worker of %s ended without a word, while %s; see 'journalctl -u %s'", r->domain->unit,
                        str_or(r->activity, "starting"), r->domain->unit);
        renewal_end(r, r->binding.delivered ? NULL : p);
}

static bool somebody_registers(const Renewal *me) {
        const char *path;
        Renewal *r;

        MAP_FOREACH(me->domain->manager->renewals, path, r)
                if (r != me && r->registering && str_equal(r->ca_url, me->ca_url))
                        return true;
        return false;
}

/* Gives the job to the worker that waits for it, unless it has to wait for another one's account. */
static void hand_over(Renewal *r) {
        Manager *m = r->domain->manager;
        _auto_problem_ Problem *p = NULL;
        sd_bus_message *open;
        int k;

        if (somebody_registers(r)) {
                /* That one's deadline is ours. */
                (void) set_deadline(r, 5 * m->settings.step_timeout_usec);
                return;
        }
        k = accounts_choose(r, &p);
        if (k == 0) {
                r->registering = !r->account->url;
                r->binding.resumed = r->domain->job->order_url;
                k = set_deadline(r, 4 * m->settings.step_timeout_usec);
        }
        if (k == 0)
                k = str_replace(&r->domain->job->account, r->account->id);
        if (k == 0)
                k = str_replace(&r->sender, sd_bus_message_get_sender(r->open));
        if (k == 0)
                k = map_put(m->workers, r->sender, r);
        if (k < 0) {
                if (!p)
                        p = problem_new(PROBLEM_TYPE_INTERNAL, "Cannot hand the job over: %s", strerror(-k));
                renewal_end(r, p);
                return;
        }
        r->state = RENEWAL_OPEN;
        domain_save_job(r->domain);
        open = take_ptr(r->open);
        k = worker_bus_reply_open(r, open);
        sd_bus_message_unref(open);
        if (k < 0)
                (void) log_failure(k, "%s: Cannot answer the worker: %m", DOMAIN_NAME(r->domain));
        job_bus_changed(r);
}

void renewal_open(Renewal *r, sd_bus_message *open) {
        int k;

        assert(!r->open);

        k = peer_watch_new(r->domain->manager->bus, sd_bus_message_get_sender(open), on_worker_gone, r, &r->peer);
        if (k < 0) {
                (void) log_failure(k, "%s: Cannot watch the worker: %m", DOMAIN_NAME(r->domain));
                (void) sd_bus_reply_method_errno(open, k, NULL);
                return;
        }
        r->open = sd_bus_message_ref(open);
        if (r->state == RENEWAL_QUEUED)
                manager_kick(r->domain->manager); /* it starts when a place is free */
        else
                hand_over(r);
}

void renewal_wake_waiting(Manager *m, const char *ca_url) {
        _auto_free_ char *ca = strdup(ca_url); /* it may belong to a renewal that ends here */
        _auto_strv_ char **paths = NULL;
        const char *path;
        Renewal *r;

        MAP_FOREACH(m->renewals, path, r)
                if (r->state == RENEWAL_STARTING && r->open && str_equal(r->ca_url, ca_url) && strv_extend(&paths, path) < 0)
                        break;
        /* Each may end others, or begin new ones: looked up again. */
        STRV_FOREACH(p, paths) {
                r = map_get(m->renewals, *p);
                if (r && r->state == RENEWAL_STARTING && r->open && str_equal(r->ca_url, ca))
                        hand_over(r);
        }
}

int renewal_refuse(Renewal *r, const char *name, const Problem *p, sd_bus_error *error) {
        if (p && !r->refusal)
                r->refusal = problem_copy(p);
        return bus_error_from_problem(error, name, p);
}

/* --- The end --- */

static void count_failure(Renewal *r, const Problem *problem) {
        Domain *d = r->domain;
        uint64_t now = clock_now_usec(), base = 30 * USEC_PER_SEC;

        if (d->n_servers > 0 && d->servers[0].snapshot->retry_delay_usec > 0)
                base = d->servers[0].snapshot->retry_delay_usec;
        if (d->job->errors < UINT32_MAX)
                d->job->errors++;
        d->job->next_run_usec = backoff_next_usec(now, base, d->job->errors, problem, manager_random());
        problem_free(d->job->last);
        d->job->last = problem_copy(problem);
        if (d->job->last && !d->job->last->activity && r->activity)
                (void) str_replace(&d->job->last->activity, r->activity);
}

/* After the domain has been looked at again: only then is it known whether there is a next try. */
static void tell_failure(Domain *d, unsigned attempt, const Problem *problem) {
        char when[CLOCK_HUMAN_MAX];

        if (d->managed && d->job->next_run_usec > 0)
                event_tell(d, EVENT_ERRORED, problem, "The renewal failed (attempt %u): %s; next try %s", attempt, problem->detail,
                           clock_format_utc(when, d->job->next_run_usec));
        else
                event_tell(d, EVENT_ERRORED, problem, "The renewal failed: %s; it is not tried again by itself: %s", problem->detail,
                           d->managed ? str_or(d->decision.detail, "nothing is due") : "no server names it any more");
        domain_save_job(d);
}

static void refuse_waiting_calls(Renewal *r, const Problem *problem) {
        if (r->open)
                (void) sd_bus_reply_method_errorf(r->open, BUS_ERROR_REFUSED, "%s", problem ? problem->detail : "The renewal has ended");
        if (r->finalize)
                (void) sd_bus_reply_method_errorf(r->finalize, BUS_ERROR_REFUSED, "%s", problem ? problem->detail : "The renewal has ended");
}

void renewal_end(Renewal *r, const Problem *problem) {
        Domain *d = r->domain;
        Manager *m = d->manager;
        _auto_problem_ Problem *told = problem_copy(r->refusal ? r->refusal : problem ? problem : &(Problem){ .type = (char *) "", .detail = (char *) "" });
        _auto_free_ char *ca = strdup(r->ca_url);
        bool same = strv_equal(r->settings->names, d->config->names);
        bool failed;
        unsigned attempt;

        if (r->binding.delivered && same && !domain_is_staged(d)) {
                /* Whatever the reason: what was delivered is not what is wanted, and asking again at once would never end. */
                problem_free(told);
                told = problem_new(PROBLEM_TYPE_STORE, "The new certificates were delivered, but are not whole in %s/" STORE_STAGING "/%s", store_path(m->store), DOMAIN_NAME(d));
                problem = told;
                r->binding.delivered = false;
        }
        failed = problem && !r->binding.delivered;
        if (failed && told && told->retry_after_usec == 0)
                told->retry_after_usec = problem->retry_after_usec;
        refuse_waiting_calls(r, failed ? told : NULL);
        challenges_tear_down(r);
        if (failed && told)
                count_failure(r, told);
        attempt = d->job->errors;
        d->job->asked = false;
        domain_save_job(d);
        job_bus_ended(r, failed ? told : NULL);
        renewal_free(r);

        if (ca)
                renewal_wake_waiting(m, ca);
        domain_forget_facts(d);
        domain_evaluate(d);
        if (failed && told)
                tell_failure(d, attempt, told);
        manager_forget_unmanaged(d); /* a server may have dropped it meanwhile */
        manager_kick(m);
}
