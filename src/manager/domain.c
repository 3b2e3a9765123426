/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/domain.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "bus/unit-name.h"
#include "manager/activation.h"
#include "manager/ca.h"
#include "manager/challenge-type.h"
#include "manager/courier.h"
#include "manager/deliver.h"
#include "manager/domain-bus.h"
#include "manager/event.h"
#include "manager/expiry.h"
#include "manager/fault.h"
#include "manager/file-facts.h"
#include "manager/ocsp.h"
#include "manager/next-keys.h"
#include "manager/public.h"
#include "manager/refusal.h"
#include "manager/reload-unit.h"
#include "manager/reload.h"
#include "manager/renewal-info.h"
#include "manager/renewal.h"
#include "manager/reserve.h"
#include "manager/schedule.h"
#include "manager/served.h"
#include "manager/servers.h"
#include "manager/stall.h"
#include "manager/status.h"
#include "manager/turns.h"
#include "store/domain.h"

/* After what failed for want of memory. */
#define AGAIN_USEC USEC_PER_MINUTE

static void tidy(Domain *d, const char *name) {
        static const StoreSet sets[] = { STORE_SET_LIVE, STORE_SET_STAGING, STORE_SET_RESERVE };

        for (size_t i = 0; i < ELEMENTSOF(sets); i++) {
                int r = store_tidy(d->manager->store, store_set_directory(sets[i]), name);

                if (r < 0)
                        (void) log_failure(r, "%s: Cannot remove what a crash left in %s/%s: %m", name, store_set_directory(sets[i]), name);
        }
}

static int load_job(Domain *d, const char *name) {
        int r = store_domain_read_job(d->manager->store, name, &d->job);

        if (r < 0 && r != -ENOMEM) { /* the renewal may go well all the same; if not, it says so */
                (void) log_failure(r, "%s: Cannot read domains/%s/" STORE_FILE_JOB ": %m", name, name);
                d->job = job_new(name);
                return d->job ? 0 : -ENOMEM;
        }
        d->job_kept = r == 0;
        d->seen = d->job->seen_usec > 0 && d->job->seen_usec >= d->job->installed_usec;
        if (r == STORE_DOMAIN_E_DAMAGED)
                log_warning("%s: domains/%s/" STORE_FILE_JOB " was damaged; what it knew of earlier attempts is lost.", name, name);
        return r < 0 ? r : 0;
}

int domain_new(Manager *m, const char *name, Domain **ret) {
        Domain *d = calloc(1, sizeof(*d));
        int r;

        if (!d)
                return log_oom();
        d->manager = m;
        d->inotify_wd = -1;
        d->config = d->own_config = managed_domain_new(name);
        d->unit = unit_name_for_renewal(name, ".service");
        r = sd_bus_path_encode(BUS_PATH_DOMAIN, name, &d->path);
        if (r < 0 || !d->config || !d->unit) {
                domain_free(d);
                return log_oom();
        }
        tidy(d, name);
        r = load_job(d, name);
        if (r >= 0)
                r = map_put(m->domains, name, d);
        if (r >= 0)
                r = map_put(m->units, d->unit, d);
        if (r < 0) {
                domain_free(d);
                return log_failure(r, "%s: Cannot take up this domain: %m", name);
        }
        m->generation++;
        *ret = d;
        return 0;
}

Domain *domain_free(Domain *d) {
        if (!d)
                return NULL;
        if (d->renewal)
                d->renewal->task.class->release(&d->renewal->task);
        if (d->config)
                status_forget(d->manager->shown, d);
        if (d->config && map_get(d->manager->domains, DOMAIN_NAME(d)) == d) {
                served_forget(d->manager->served, DOMAIN_NAME(d));
                domain_bus_removed(d);
                (void) map_remove(d->manager->domains, DOMAIN_NAME(d));
                d->manager->generation++;
        }
        if (d->unit && map_get(d->manager->units, d->unit) == d)
                (void) map_remove(d->manager->units, d->unit);
        if (d->manager->schedule)
                schedule_remove(d->manager->schedule, d);
        if (d->manager->servers)
                servers_unwatch_domain(d->manager->servers, d);
        turns_remove(d->manager->turns, d);
        manager_count_fault(d->manager, &d->faulty, false);
        sd_event_source_disable_unref(d->activation_retry);
        next_keys_done(d);
        free(d->refusal);
        decision_done(&d->decision);
        cert_facts_list_done(&d->live);
        cert_facts_list_done(&d->files);
        job_free(d->job);
        managed_domain_free(d->own_config);
        free(d->servers);
        free(d->unit);
        free(d->path);
        free(d);
        return NULL;
}

void domain_borrow_config(Domain *d, const ManagedDomain *config) {
        d->config = config;
        d->own_config = managed_domain_free(d->own_config);
        file_facts_read(d);
}

int domain_orphan(Domain *d) {
        if (!d->own_config)
                d->own_config = managed_domain_copy(d->config);
        if (!d->own_config)
                return -ENOMEM;
        d->config = d->own_config;
        free(take_ptr(d->servers));
        d->n_servers = 0;
        d->managed = false;
        return 0;
}

/* They go on counting until others can be read. */
void domain_forget_facts(Domain *d) {
        d->live_known = false;
        next_keys_forget(d);
}

/* No domains/ at all says nothing about one domain: it will be back in a moment. */
static int check_domains(Domain *d) {
        _auto_close_ int fd = -1;
        int r = store_open_dir(d->manager->store, STORE_DOMAINS, &fd);

        return r > 0 ? -ENOENT : r;
}

static void read_live(Domain *d) {
        _auto_free_ char *damaged = NULL;
        CertFactsList facts = { 0 };
        int r;

        r = check_domains(d);
        if (r == 0)
                r = deliver_read_facts(d, STORE_SET_LIVE, &facts, &damaged);
        if (damaged)
                event_tell(d, EVENT_STORE_DAMAGED, NULL, "%s", damaged);
        if (r < 0) {
                (void) log_failure(r, "%s: Cannot read its certificates in %s/" STORE_DOMAINS ": %m. What was known of them counts.", DOMAIN_NAME(d),
                                   store_path(d->manager->store));
                return;
        }
        cert_facts_list_done(&d->live);
        d->live = facts;
        d->live_known = true;
        ocsp_learn(d->manager->ocsp, d);
}

void domain_learn_facts(Domain *d) {
        if (d->live_known)
                return;
        servers_watch_domain(d->manager->servers, d); /* before reading, so that no change is missed */
        read_live(d);
        if (!d->live_known)
                return;
        if (reserve_restore(d)) {
                servers_watch_domain(d->manager->servers, d); /* the directory may be a new one */
                read_live(d);
        }
        reserve_keep(d);
}

/* A positive result: the directory for it is missing and cannot be made. */
static void tell_unwritten(Domain *d, const char *file, int r) {
        if (r != 0)
                (void) log_failure(r < 0 ? r : -ENOENT, "%s: Cannot write %s/" STORE_DOMAINS "/%s/%s: %m", DOMAIN_NAME(d), store_path(d->manager->store),
                                   DOMAIN_NAME(d), file);
}

void domain_save_job(Domain *d) {
        int r = store_domain_write_job(d->manager->store, d->job);

        d->job_kept = r == 0;
        tell_unwritten(d, STORE_FILE_JOB, r);
}

static bool is_configured(const Domain *d, const char *ca_url) {
        return !ca_url || strv_contains(d->config->ca_urls, ca_url);
}

static bool settings_changed(const Domain *d) {
        _cleanup_(managed_domain_freep) ManagedDomain *before = NULL;

        return store_domain_read_md(d->manager->store, STORE_SET_LIVE, DOMAIN_NAME(d), &before, NULL) == 0 && !managed_domain_settings_equal(before, d->config);
}

/* What failed with other settings says nothing about these. A CA that asked for time gets it all the same. And what somebody put back was chosen with
 * others. */
static void notice_settings(Domain *d) {
        const Problem *last = d->job->last;
        bool retry = d->job->next_run_usec > 0 && !(last && last->retry_after_usec > clock_now_usec() && is_configured(d, d->job->ca_url));

        if ((!retry && !d->job->rolled_back) || !settings_changed(d))
                return;
        d->job->rolled_back = false;
        if (retry)
                d->job->next_run_usec = 0;
}

/* How names can be proven depends on what servers listen on, too, which is in no setting of the domain. */
static void notice_ways(Domain *d) {
        unsigned ways = challenges_usable(d);

        if (d->ways_known && ways != d->ways && d->job->last && str_equal(d->job->last->type, PROBLEM_TYPE_CHALLENGE_MISMATCH))
                d->job->next_run_usec = 0;
        d->ways = ways;
        d->ways_known = true;
}

static void keep_settings(Domain *d) {
        int r;

        if (d->settings_kept)
                return;
        notice_settings(d);
        r = store_domain_write_md(d->manager->store, STORE_SET_LIVE, d->config);
        d->settings_kept = r == 0;
        tell_unwritten(d, STORE_FILE_MD, r);
}

/* What is in memory, or can be made from the live set, is written again when it is missing. */
static void keep_copies(Domain *d) {
        if (!d->copies_doubted)
                return;
        d->copies_doubted = false;
        courier_keep(d->manager->courier, DOMAIN_NAME(d));
        if (d->live.n > 0)
                public_update(d);
}

/* Our own writes are told here, too: what can be read is left as it is. */
static bool job_is_kept(Domain *d) {
        Job *found = NULL;
        int r = store_domain_read_job(d->manager->store, DOMAIN_NAME(d), &found);

        job_free(found);
        return r != STORE_DOMAIN_E_DAMAGED && r != STORE_DOMAIN_E_NOT_FOUND;
}

void domain_files_changed(Domain *d, const char *file) {
        domain_forget_facts(d);
        if (!file || str_equal(file, STORE_FILE_MD))
                d->settings_kept = false;
        if (!file || str_equal(file, STORE_FILE_JOB))
                d->job_touched = true;
        turns_add(d->manager->turns, d);
}

static size_t count_usable(Domain *d) {
        CertFactsList facts = { 0 };
        size_t n = 0;

        if (deliver_read_facts(d, STORE_SET_STAGING, &facts, NULL) < 0)
                return 0;
        for (size_t i = 0; i < facts.n; i++)
                n += facts.items[i].key_matches && !strv_contains(d->job->revoked_keys, facts.items[i].key_sha256);
        cert_facts_list_done(&facts);
        return n;
}

/* Certificates in staging that need not be obtained again: all of a set, or those of a half that the next renewal goes on with. */
static size_t count_staged(Domain *d) {
        _cleanup_(managed_domain_freep) ManagedDomain *staged = NULL;
        size_t n;

        if (d->job->phase == JOB_PHASE_IDLE)
                return 0;
        if (store_domain_read_md(d->manager->store, STORE_SET_STAGING, DOMAIN_NAME(d), &staged, NULL) != 0)
                return 0;
        if (!strv_equal(staged->names, d->config->names))
                return 0;
        n = count_usable(d);
        return n == key_specs_count(&d->config->keys) || renewal_goes_on(d, staged, d->config, ca_next(d)) ? n : 0;
}

static bool is_all(const Domain *d, size_t n_staged) {
        return n_staged > 0 && n_staged == key_specs_count(&d->config->keys);
}

bool domain_is_staged(Domain *d) {
        return is_all(d, count_staged(d));
}

/* Whether one server has handed all of the live set to its TLS module. */
static bool serves_all(const ManagedDomain *view, const CertFactsList *live) {
        for (size_t i = 0; i < live->n; i++)
                if (!strv_contains(view->served, live->items[i].sha256))
                        return false;
        return true;
}

bool domain_is_served_by(const Domain *d, size_t i) {
        const ManagedDomain *view = d->servers[i].view;

        /* Files of the administrator's are served whatever the store holds. */
        return !view->used_tls || view->refused || managed_domain_is_static(view) || serves_all(view, &d->live);
}

static bool is_served(const Domain *d) {
        for (size_t i = 0; i < d->n_servers; i++)
                if (!domain_is_served_by(d, i))
                        return false;
        return true;
}

/* The next look at a domain that waits for nothing: a certificate by itself changes its state when it runs out. */
static void act(Domain *d) {
        d->wanted_usec = 0;
        stall_decided(d);
        switch (d->decision.action) {

        case DECISION_RENEW: {
                Renewal *r;

                if (renewal_new(d, &r) < 0)
                        d->wanted_usec = usec_add(clock_now_usec(), AGAIN_USEC);
                break;
        }

        case DECISION_ACTIVATE:
                d->wanted_usec = ocsp_hold_activation(d->manager->ocsp, d);
                if (d->wanted_usec == 0)
                        activation_start(d);
                break;

        case DECISION_INSTALL:
                reload_request(d);
                d->wanted_usec = d->decision.at_usec;
                break;

        case DECISION_WAIT:
                d->wanted_usec = d->decision.at_usec;
                break;

        case DECISION_NOTHING:
                break;
        }
        schedule_update(d->manager->schedule, d);
}

static bool is_retried(const Decision *decision) {
        switch (decision->reason) {

        case REASON_WINDOW:
                return decision->action != DECISION_WAIT;

        case REASON_MANUAL:
        case REASON_UNUSED:
                return false;

        default:
                return true;
        }
}

/* Until when no renewal begins by itself; 0: nothing holds it back. */
static uint64_t held_until(const Domain *d, const char **ret_why) {
        uint64_t initial = d->n_servers > 0 ? usec_add(d->manager->started_usec, d->servers[0].snapshot->initial_delay_usec) : 0;
        uint64_t paused = ca_paused_until(d), vetoed = courier_vetoed_until(d->manager->courier, d);

        if (d->pressed)
                return 0;
        *ret_why = paused > initial ? "the CA limits how much it is asked" : "MDInitialDelay";
        if (vetoed > MAX_OF(initial, paused))
                *ret_why = "the command of MDMessageCmd vetoed it (event 'renewing')";
        return MAX_OF(MAX_OF(initial, paused), vetoed);
}

/* It is there for as long as a record that it has in the DNS is still to be taken back. What was decided before does not count any more. */
static void take_leave(Domain *d) {
        DomainState state = d->decision.state;

        decision_done(&d->decision);
        d->decision = (Decision){ .reason = REASON_UNMANAGED, .state = state };
        d->decision.detail = strdup("no server names it any more; what it set up in the DNS is still to be taken back"); /* none: nobody misses much */
        d->wanted_usec = 0;
        schedule_update(d->manager->schedule, d);
}

void domain_evaluate(Domain *d) {
        const char *held_why = NULL;
        size_t n_staged;
        int r;

        if (d->managed)
                domain_learn_facts(d);
        if (d->renewal || d->activation_retry) /* its end brings us back */
                return;
        if (!d->managed) {
                take_leave(d);
                return;
        }
        keep_settings(d);
        keep_copies(d);
        notice_ways(d);
        if (d->job_touched)
                d->job_kept = d->job_kept && job_is_kept(d);
        d->job_touched = false;
        if (!d->job_kept)
                domain_save_job(d);
        if (d->inotify_wd < 0) /* the directory is there now */
                servers_watch_domain(d->manager->servers, d);
        d->served = is_served(d);
        n_staged = count_staged(d);

        decision_done(&d->decision);
        d->decision = (Decision){ 0 };
        r = decision_make(d->config, &d->live, d->job,
                          &(DecisionContext){
                                  .staged_complete = is_all(d, n_staged),
                                  .n_staged = n_staged,
                                  .served = d->served,
                                  .activation_delay_usec = d->n_servers > 0 ? d->servers[0].snapshot->activation_delay_usec : 0,
                                  .held_until_usec = held_until(d, &held_why),
                                  .held_why = held_why,
                                  .certificates_per_week = d->manager->settings.certificates_per_week,
                          },
                          clock_now_usec(), &d->decision);
        if (r < 0) {
                (void) log_failure(r, "%s: Cannot decide: %m", DOMAIN_NAME(d));
                d->wanted_usec = usec_add(clock_now_usec(), AGAIN_USEC);
                schedule_update(d->manager->schedule, d);
                return;
        }
        if (d->files.n > 0) /* what it is to be renewed with says nothing of what is in use */
                d->decision.state = file_facts_cover(d) ? DOMAIN_STATE_COMPLETE : DOMAIN_STATE_INCOMPLETE;
        if (!is_retried(&d->decision) && d->job->errors > 0) {
                /* An attempt that somebody asked for failed, and nothing is due: there is nothing to retry. What went wrong stays to be seen. */
                d->job->errors = d->job->ca_errors = 0;
                d->job->next_run_usec = 0;
                domain_save_job(d);
        }
        activation_check_installed(d);
        served_update(d->manager->served, d);
        refusal_update(d);
        expiry_update(d->manager->expiry, d);
        renewal_info_update(d);
        act(d);
        next_keys_update(d);
        domain_changed(d);
}

int domain_renew(Domain *d, bool force) {
        if (d->renewal)
                return DOMAIN_RENEW_E_RUNNING;
        if (!d->managed || d->config->refused)
                return DOMAIN_RENEW_E_REFUSED;
        if (force) { /* kept until that renewal has come to its end, whatever becomes of us */
                d->job->asked = true;
                domain_save_job(d);
        }
        domain_forget_facts(d);
        domain_evaluate(d);
        return d->renewal ? DOMAIN_RENEW_DONE : DOMAIN_RENEW_E_NOT_DUE;
}

static bool retry_renewal(Domain *d) {
        d->job->next_run_usec = 0;
        domain_save_job(d);
        domain_forget_facts(d);
        d->pressed = true;
        domain_evaluate(d);
        d->pressed = d->renewal;
        return d->renewal;
}

static bool retry_reloads(Domain *d) {
        Manager *m = d->manager;
        bool any = false;

        if (d->decision.action != DECISION_INSTALL || !reload_trouble(d))
                return false;
        for (size_t i = 0; i < d->n_servers; i++) {
                const char *unit;

                for (size_t k = 0; !domain_is_served_by(d, i) && (unit = reload_unit_of(m, d->servers[i].snapshot, k)); k++)
                        any = reload_request_unit(m, unit) >= 0 || any;
        }
        return any;
}

int domain_retry(Domain *d) {
        if (d->renewal)
                return DOMAIN_RENEW_E_RUNNING;
        if (!d->managed || d->config->refused)
                return DOMAIN_RENEW_E_REFUSED;
        if (d->activation_retry) {
                d->activation_retry = sd_event_source_disable_unref(d->activation_retry);
                domain_forget_facts(d);
                domain_evaluate(d);
                return DOMAIN_RENEW_DONE;
        }
        if (d->job->errors > 0 && retry_renewal(d))
                return DOMAIN_RENEW_DONE;
        return retry_reloads(d) ? DOMAIN_RENEW_DONE : DOMAIN_RENEW_E_NOT_DUE;
}

ProblemClass domain_waiting_for(const Domain *d) {
        if (d->renewal)
                return PROBLEM_CLASS_TRANSIENT;
        switch (d->decision.reason) {

        case REASON_REFUSED:
                return PROBLEM_CLASS_ADMINISTRATOR;

        case REASON_HELD:
        case REASON_BUDGET:
        case REASON_ACTIVATION_DELAY:
                return PROBLEM_CLASS_TIME;

        case REASON_RETRY: /* another CA may know nothing of it */
                return ca_attempts_left(d) == 0 ? PROBLEM_CLASS_TRANSIENT : problem_class(d->job->last);

        default:
                return PROBLEM_CLASS_TRANSIENT;
        }
}

const CertFactsList *domain_used_facts(const Domain *d) {
        return d->files.n > 0 ? &d->files : &d->live;
}

uint64_t domain_valid_until_usec(const Domain *d) {
        const CertFactsList *used = domain_used_facts(d);
        uint64_t until = 0;

        for (size_t i = 0; i < used->n; i++)
                if (until == 0 || used->items[i].not_after_usec < until)
                        until = used->items[i].not_after_usec;
        return until;
}

void domain_changed(Domain *d) {
        _auto_free_ char *fault = fault_find(d);

        manager_count_fault(d->manager, &d->faulty, fault);
        domain_bus_changed(d);
        status_changed(d->manager->shown, d);
}
