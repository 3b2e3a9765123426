/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/absence.h"
#include "manager/archive.h"
#include "manager/manager.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "bus/service.h"
#include "bus/unit.h"
#include "config.h"
#include "domain/snapshot.h"
#include "manager/account-bus.h"
#include "manager/account-doubt.h"
#include "manager/account-task.h"
#include "manager/adoption.h"
#include "manager/batch.h"
#include "manager/ca.h"
#include "manager/challenge-alpn.h"
#include "manager/challenge-dns.h"
#include "manager/challenge-queue.h"
#include "manager/challenges.h"
#include "manager/courier.h"
#include "manager/domain-bus.h"
#include "manager/domain.h"
#include "manager/expiry.h"
#include "manager/hook-test.h"
#include "manager/job-bus.h"
#include "manager/listing.h"
#include "manager/manager-bus.h"
#include "manager/ocsp.h"
#include "manager/reload-calendar.h"
#include "manager/public.h"
#include "manager/reload.h"
#include "manager/renewal-info.h"
#include "manager/renewal.h"
#include "manager/schedule.h"
#include "manager/served.h"
#include "manager/servers.h"
#include "manager/staging.h"
#include "manager/status.h"
#include "manager/targets.h"
#include "manager/timer-check.h"
#include "manager/turns.h"
#include "manager/worker-bus.h"
#include "manager/worker-open.h"
#include "store/account.h"
#include "store/activate.h"
#include "store/domain.h"

/* So much is done for domains before anybody is heard: in most cases that is all of it. */
#define START_USEC (500 * USEC_PER_MSEC)

uint32_t manager_random(void) {
        uint32_t v;

        return getrandom(&v, sizeof(v), 0) == sizeof(v) ? v : (uint32_t) clock_monotonic_usec();
}

/* Those whose worker is there already come first: it costs nothing to let it go on. */
static void start_waiting(Manager *m) {
        _auto_strv_ char **paths = NULL;
        const char *path;
        Task *t;

        MAP_FOREACH(m->tasks, path, t)
                if (t->state == TASK_QUEUED && t->open && !t->held && strv_extend(&paths, path) < 0)
                        break;
        /* Each may end others: looked up again. */
        STRV_FOREACH(p, paths) {
                if (task_count_busy(m) >= m->settings.max_renewals)
                        return;
                t = map_get(m->tasks, *p);
                if (t && t->state == TASK_QUEUED && t->open && !t->held && task_begin(t))
                        task_wake_waiting(m, t->ca_url);
        }
}

/* A renewal has a unit of its own, unless there are more to do at its CA than places; whether there are is known when all domains had their turns. */
static bool start_next(Manager *m, Task *t, unsigned places) {
        if (!task_is_local(t) && (!renewal_of(t) || batch_serves(m, t) || task_count_queued(m, t) > places))
                return batch_start(m, t);
        if (!turns_are_over(m->turns))
                return false; /* they come back to it */
        if (task_begin(t))
                renewal_start(renewal_of(t));
        return true;
}

static int start_queued(sd_event_source *source, void *userdata) {
        Manager *m = userdata;
        unsigned busy;
        Task *t;

        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        renewal_hold_queued(m);
        start_waiting(m);
        while ((busy = task_count_busy(m)) < m->settings.max_renewals && (t = task_next_queued(m, NULL)))
                if (!start_next(m, t, m->settings.max_renewals - busy))
                        break;
        reload_kick(m);
        manager_bus_update_status(m);
        return 0;
}

void manager_kick(Manager *m) {
        (void) sd_event_source_set_enabled(m->pump, SD_EVENT_ONESHOT);
}

int manager_new(sd_event *event, Manager **ret) {
        _cleanup_(manager_freep) Manager *m = calloc(1, sizeof(*m));
        int r;

        if (!m)
                return log_oom();
        m->event = sd_event_ref(event);
        r = settings_load(&m->settings);
        if (r < 0)
                return log_failure(r, "Cannot read the settings: %m");
        m->polkit = polkit_new();
        m->domains = map_new();
        m->units = map_new();
        m->tasks = map_new();
        m->batches = map_new();
        m->accounts = map_new();
        m->started_usec = clock_now_usec();
        m->workers = map_new();
        m->opens = map_new();
        m->reloads = map_new();
        if (!m->polkit || !m->domains || !m->units || !m->tasks || !m->batches || !m->workers || !m->opens || !m->reloads || !m->accounts)
                return log_oom();
        r = key_maker_new(event, &m->keys);
        if (r < 0)
                return log_failure(r, "Cannot start the thread that makes keys: %m");
        r = errands_new(event, &m->errands);
        if (r < 0)
                return log_failure(r, "Cannot start the thread for errands: %m");
        r = adoption_new(m, &m->adoption);
        if (r >= 0)
                r = turns_new(m, &m->turns);
        if (r < 0)
                return log_failure(r, "Cannot prepare what is done for domains: %m");
        r = courier_new(m, &m->courier);
        if (r >= 0)
                r = challenge_queue_new(m, &m->consents);
        if (r < 0)
                return log_failure(r, "Cannot prepare the queue of hooks: %m");
        r = status_new(m, &m->shown);
        if (r < 0)
                return log_failure(r, "Cannot prepare what the status pages show: %m");
        r = challenge_queue_new(m, &m->challenge_queue);
        if (r < 0)
                return log_failure(r, "Cannot prepare the queue of challenges: %m");
        m->alpn_keys = alpn_keys_new();
        if (!m->alpn_keys)
                return log_oom();
        r = sd_event_add_defer(event, &m->pump, start_queued, m);
        if (r < 0)
                return log_failure(r, "Cannot prepare the event loop: %m");
        (void) sd_event_source_set_enabled(m->pump, SD_EVENT_OFF);
        *ret = take_ptr(m);
        return 0;
}

Manager *manager_free(Manager *m) {
        const char *key;
        Domain *d;
        Task *t;
        Reload *reload;

        if (!m)
                return NULL;
        m->errands = errands_free(m->errands); /* first: they look at snapshots */
        listing_free_all(m);
        worker_open_drop_all(m);
        m->schedule = schedule_free(m->schedule); /* early: the timers stay armed while we are away */
        m->renewal_info = renewal_info_free(m->renewal_info);
        m->ocsp = ocsp_free(m->ocsp);
        m->served = served_free(m->served);
        m->expiry = expiry_free(m->expiry);
        m->timer_check = timer_check_free(m->timer_check);
        m->reload_calendar = reload_calendar_free(m->reload_calendar);
        m->targets = targets_free(m->targets);
        if (m->tasks)
                MAP_FOREACH(m->tasks, key, t)
                        t->class->release(t);
        if (m->batches)
                batch_free_all(m);
        if (m->domains)
                MAP_FOREACH(m->domains, key, d)
                        domain_free(d);
        if (m->reloads)
                MAP_FOREACH(m->reloads, key, reload)
                        reload_free(reload);
        m->shown = status_free(m->shown);
        dns_teardown_free_all(m->dns_teardowns);
        challenge_queue_free(m->challenge_queue);
        challenge_queue_free(m->consents);
        hook_test_free_all(m);
        courier_free(m->courier);
        alpn_keys_free(m->alpn_keys);
        m->absence = absence_free(m->absence);
        servers_free(m->servers);
        turns_free(m->turns);
        adoption_free(m->adoption);
        key_maker_free(m->keys);
        map_free(m->domains);
        map_free(m->units);
        map_free(m->tasks);
        map_free(m->batches);
        ca_limits_done(&m->limits);
        map_free(m->workers);
        map_free(m->opens);
        map_free_with(m->accounts, account_bus_free);
        map_free(m->reloads);
        strv_free(m->left_out);
        polkit_free(m->polkit);
        store_close(m->store);
        sd_event_source_disable_unref(m->recheck);
        sd_event_source_disable_unref(m->rename_again);
        sd_event_source_disable_unref(m->pump);
        sd_event_source_disable_unref(m->status);
        sd_bus_flush_close_unref(m->bus);
        settings_done(&m->settings);
        sd_event_unref(m->event);
        free(m);
        return NULL;
}

Domain *manager_find_domain(const Manager *m, const char *name) {
        return map_get(m->domains, name);
}

Domain *manager_find_domain_by_any_name(const Manager *m, const char *name) {
        const SnapshotMergeDomain *merged;
        Domain *d = turns_find(m->turns, name);

        if (d)
                return d;
        merged = snapshot_merge_find_any(servers_merge(m->servers), name);
        return merged ? turns_find(m->turns, merged->domain->name) : NULL;
}

void manager_forget_unmanaged(Domain *d) {
        LogField fields[] = { { "MD_NAME", DOMAIN_NAME(d) } };

        if (d->managed || d->renewal || challenge_dns_is_pending(d))
                return;
        log_full(LOG_NOTICE, 0, MESSAGE_UNMANAGED, fields, ELEMENTSOF(fields),
                 "%s: No server names this domain any more; its certificates stay in the store.", DOMAIN_NAME(d));
        staging_forget(d);
        status_remove(d->manager->shown, d);
        public_remove(d);
        courier_forget(d->manager->courier, DOMAIN_NAME(d));
        domain_free(d);
}

static int on_recheck(sd_event_source *source, uint64_t usec, void *userdata) {
        manager_check(userdata);
        return 0;
}

/* MDCheckInterval, the shortest of all servers', half as long up to half as long again. md-manager-check.timer sees to the default. */
static void plan_recheck(Manager *m) {
        uint64_t interval = SNAPSHOT_CHECK_INTERVAL_USEC;
        size_t n;
        Snapshot *const *snapshots = servers_snapshots(m->servers, &n);

        for (size_t i = 0; i < n; i++)
                interval = MIN_OF(interval, snapshots[i]->check_interval_usec);
        m->recheck = sd_event_source_disable_unref(m->recheck);
        if (interval >= SNAPSHOT_CHECK_INTERVAL_USEC)
                return;
        interval = MAX_OF(interval, USEC_PER_SEC);
        (void) sd_event_add_time_relative(m->event, &m->recheck, CLOCK_MONOTONIC, interval / 2 + interval / 1000 * (manager_random() % 1001), 0, on_recheck, m);
}

void manager_count_fault(Manager *m, bool *flag, bool faulty) {
        if (*flag == faulty)
                return;
        m->n_faulty += faulty ? 1 : (size_t) -1;
        *flag = faulty;
}

/* What was left by an earlier run, when it is known what goes on. */
static void tidy_up(Manager *m) {
        challenges_purge_stale(m);
        staging_purge_stale(m);
        public_prune(m);
        status_prune(m->shown);
        status_changed(m->shown, NULL);
}

void manager_adopted(Manager *m, bool all) {
        bool first = !m->adopted;

        m->adopted = true;
        servers_adopted(m->servers, all);
        if (first)
                account_doubt_begin_all(m);
        account_task_recover(m); /* before anybody uses these accounts */
        ocsp_update(m->ocsp);
        reload_snapshot_arrived(m);
        courier_kick(m->courier);
        served_retry(m->served);
        plan_recheck(m);
        if (first)
                tidy_up(m);
        if (first) {
                m->stalls_due = true;
                archive_prune(m);
                targets_want(m);
        }
        worker_open_go_on(m);
        listing_wake_all(m);
        manager_kick(m);
}

void manager_check(Manager *m) {
        const char *name;
        Domain *d;

        account_bus_read(m);
        MAP_FOREACH(m->domains, name, d) {
                domain_forget_facts(d);
                d->settings_kept = false;
                d->copies_doubted = true;
                d->activation_retry = sd_event_source_disable_unref(d->activation_retry); /* tried again now, not later */
        }
        m->stalls_due = true;
        turns_add_all(m->turns);
        courier_keep(m->courier, EVENT_NAME_OTHER);
        servers_look(m->servers);
        absence_look(m->absence);
        schedule_retry(m->schedule);
        timer_check_look(m->timer_check);
        reload_calendar_check(m->reload_calendar);
        ocsp_check_timer(m->ocsp);
        served_retry(m->served);
        status_check(m->shown);
        archive_prune(m);
        targets_want(m);
}

static void tidy_accounts(Manager *m) {
        _auto_strv_ char **ids = NULL;

        if (store_account_list(m->store, &ids) != 0)
                return;
        STRV_FOREACH(id, ids)
                (void) store_tidy(m->store, STORE_ACCOUNTS, *id);
}

static int open_store(Manager *m) {
        _auto_problem_ Problem *problem = NULL;
        _auto_strv_ char **mended = NULL;
        int r;

        r = store_open(m->settings.store_dir, STORE_ROLE_MANAGER, &m->store, &problem);
        if (r != STORE_DONE) {
                log_error("Cannot use the store: %s", problem ? problem->detail : strerror(r < 0 ? -r : EIO));
                return r < 0 ? r : -ENOTDIR;
        }
        r = store_activate_recover(m->store, &mended);
        if (r < 0) /* the others were mended; this one's live set, if it has any, is looked at like every other */
                (void) log_failure(r, "Cannot finish every activation that was interrupted: %m");
        STRV_FOREACH(name, mended) {
                LogField fields[] = { { "MD_NAME", *name } };

                log_full(LOG_NOTICE, 0, MESSAGE_STORE_DAMAGED, fields, ELEMENTSOF(fields), "%s: Finished an activation that was interrupted.", *name);
        }
        tidy_accounts(m);
        ca_load(m);
        account_bus_read(m);
        return 0;
}

/* Looked up once: the name service may wait, the loop may not. */
static int find_users(Manager *m) {
        const struct passwd *pw;

        errno = 0;
        pw = getpwnam(ACME_USER);
        if (!pw) {
                log_error("There is no user '" ACME_USER "' for the workers; run 'systemd-sysusers' to make it.");
                return -ESRCH;
        }
        m->acme_uid = pw->pw_uid;
        return 0;
}

int manager_start(Manager *m) {
        int r;

        r = find_users(m);
        if (r < 0)
                return r;
        r = open_store(m);
        if (r < 0)
                return r;
        r = service_bus_open(m->event, &m->bus);
        if (r < 0)
                return log_failure(r, "Cannot connect to the system bus: %m");
        r = unit_subscribe(m->bus);
        if (r < 0)
                return log_failure(r, "Cannot subscribe to systemd's signals: %m");
        r = schedule_new(m, &m->schedule);
        if (r >= 0)
                r = servers_new(m, &m->servers);
        if (r >= 0)
                r = absence_new(m, &m->absence);
        if (r >= 0)
                r = renewal_info_new(m, &m->renewal_info);
        if (r >= 0)
                r = ocsp_new(m, &m->ocsp);
        if (r >= 0)
                r = served_new(m, &m->served);
        if (r >= 0)
                r = expiry_new(m, &m->expiry);
        if (r >= 0)
                r = timer_check_new(m, &m->timer_check);
        if (r >= 0)
                r = reload_calendar_new(m, &m->reload_calendar);
        if (r >= 0)
                r = targets_new(m, &m->targets);
        if (r < 0)
                return log_failure(r, "Cannot watch the servers: %m");
        r = manager_bus_register(m);
        if (r >= 0)
                r = domain_bus_register(m);
        if (r >= 0)
                r = job_bus_register(m);
        if (r >= 0)
                r = account_bus_register(m);
        if (r >= 0)
                r = worker_bus_register(m);
        if (r < 0)
                return log_failure(r, "Cannot register the bus objects: %m");
        courier_start(m->courier);
        servers_look_now(m->servers);
        turns_run(m->turns, START_USEC);
        /* The name last: who calls finds everything in place. */
        r = sd_bus_request_name(m->bus, BUS_NAME, 0);
        if (r < 0)
                return log_failure(r, "Cannot take the bus name " BUS_NAME ": %m");
        return 0;
}
