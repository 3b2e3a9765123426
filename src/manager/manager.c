/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/absence.h"
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
#include "manager/account-task.h"
#include "manager/batch.h"
#include "manager/ca.h"
#include "manager/challenge-alpn.h"
#include "manager/challenge-dns.h"
#include "manager/challenge-queue.h"
#include "manager/challenges.h"
#include "manager/courier.h"
#include "manager/domain-bus.h"
#include "manager/domain.h"
#include "manager/job-bus.h"
#include "manager/manager-bus.h"
#include "manager/ocsp.h"
#include "manager/reload.h"
#include "manager/rename.h"
#include "manager/renewal-info.h"
#include "manager/renewal.h"
#include "manager/schedule.h"
#include "manager/servers.h"
#include "manager/staging.h"
#include "manager/status.h"
#include "manager/worker-bus.h"
#include "manager/worker-open.h"
#include "store/account.h"
#include "store/activate.h"
#include "store/domain.h"

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

/* A renewal has a unit of its own, unless there are more to do at its CA than places. */
static bool start_next(Manager *m, Task *t, unsigned places) {
        if (!task_is_local(t) && (!renewal_of(t) || batch_serves(m, t) || task_count_queued(m, t) > places))
                return batch_start(m, t);
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
        m->cas = map_new();
        m->accounts = map_new();
        m->started_usec = clock_now_usec();
        m->workers = map_new();
        m->opens = map_new();
        m->reloads = map_new();
        if (!m->polkit || !m->domains || !m->units || !m->tasks || !m->batches || !m->cas || !m->workers || !m->opens || !m->reloads || !m->accounts)
                return log_oom();
        r = key_maker_new(event, &m->keys);
        if (r < 0)
                return log_failure(r, "Cannot start the thread that makes keys: %m");
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
        worker_open_drop_all(m);
        m->schedule = schedule_free(m->schedule); /* first: the timers stay armed while we are away */
        m->renewal_info = renewal_info_free(m->renewal_info);
        m->ocsp = ocsp_free(m->ocsp);
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
        courier_free(m->courier);
        alpn_keys_free(m->alpn_keys);
        m->absence = absence_free(m->absence);
        servers_free(m->servers);
        key_maker_free(m->keys);
        map_free(m->domains);
        map_free(m->units);
        map_free(m->tasks);
        map_free(m->batches);
        if (m->cas)
                ca_forget_all(m);
        map_free(m->cas);
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
        Domain *d = manager_find_domain(m, name);
        const char *key;

        if (d)
                return d;
        MAP_FOREACH(m->domains, key, d)
                if (d->managed && strv_contains(d->config->names, name))
                        return d;
        return NULL;
}

/* A domain that servers name: made known, with the settings of the server that counts. */
static int adopt(Manager *m, const ManagedDomain *config, Domain **ret) {
        Domain *d = map_get(m->domains, config->name);
        ManagedDomain *copy;
        int r;

        if (!d) {
                r = domain_new(m, config->name, &d);
                if (r < 0)
                        return r;
        }
        copy = managed_domain_copy(config);
        if (!copy)
                return -ENOMEM;
        managed_domain_fit_protocol(copy);
        if (d->settings_kept && !strv_equal(d->config->names, copy->names))
                memset(d->job->issued_usec, 0, sizeof(d->job->issued_usec)); /* CAs count sets of names */
        if (!managed_domain_settings_equal(d->config, copy))
                d->settings_kept = false;
        managed_domain_free(d->config);
        d->config = copy;
        d->managed = true;
        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);

                key_maker_stock(m->keys, &spec);
        }
        *ret = d;
        return 0;
}

static void tell_conflicts(const SnapshotMerge *merge) {
        for (size_t i = 0; i < merge->n_conflicts; i++) {
                const SnapshotConflict *c = &merge->conflicts[i];
                LogField fields[] = { { "MD_NAME", c->name } };

                log_full(LOG_WARNING, 0, MESSAGE_DOMAIN_CONFLICT, fields, ELEMENTSOF(fields),
                         "%s: Servers '%s' and '%s' configure this domain differently; '%s' counts.", c->name, c->counts->id, c->ignored->id,
                         c->counts->id);
        }
}

static int add_server(Domain *d, const Snapshot *snapshot, const ManagedDomain *view) {
        DomainServer *grown = reallocarray(d->servers, d->n_servers + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        d->servers = grown;
        d->servers[d->n_servers++] = (DomainServer){ snapshot, view };
        return 0;
}

static int collect_views(Manager *m) {
        size_t n;
        Snapshot *const *snapshots = servers_snapshots(m->servers, &n);

        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < snapshots[i]->n_domains; k++) {
                        Domain *d = map_get(m->domains, snapshots[i]->domains[k]->name);
                        int r = d ? add_server(d, snapshots[i], snapshots[i]->domains[k]) : 0;

                        if (r < 0)
                                return r;
                }
        return 0;
}

void manager_forget_unmanaged(Domain *d) {
        LogField fields[] = { { "MD_NAME", DOMAIN_NAME(d) } };

        if (d->managed || d->renewal || challenge_dns_is_pending(d))
                return;
        log_full(LOG_NOTICE, 0, MESSAGE_UNMANAGED, fields, ELEMENTSOF(fields),
                 "%s: No server names this domain any more; its certificates stay in the store.", DOMAIN_NAME(d));
        staging_forget(d);
        status_remove(d->manager->shown, d);
        courier_forget(d->manager->courier, DOMAIN_NAME(d));
        domain_free(d);
}

/* One that cannot be taken up does not keep the others from it. */
static void leave_out(Manager *m, const char *name, int error) {
        LogField fields[] = { { "MD_NAME", name } };
        const char *why = error == -EEXIST ? "its name is so long that its unit would have the name of another domain's" : strerror(-error);
        _auto_free_ char *text = str_printf("This domain cannot be taken up: %s", why);

        log_full(LOG_ERR, 0, NULL, fields, ELEMENTSOF(fields), "%s: This domain cannot be taken up: %s", name, why);
        if (text && strv_extend(&m->left_out, name) >= 0)
                (void) strv_extend(&m->left_out, text);
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

void manager_apply_snapshots(Manager *m) {
        const SnapshotMerge *merge = servers_merge(m->servers);
        Renames renames = { 0 };
        const char *name;
        Domain *d;
        int r;

        MAP_FOREACH(m->domains, name, d) {
                d->managed = false;
                free(take_ptr(d->servers));
                d->n_servers = 0;
        }
        m->left_out = strv_free(m->left_out);
        for (size_t i = 0; i < merge->n_domains; i++) {
                int k = rename_if_new(m, &renames, merge->domains[i].domain) ? adopt(m, merge->domains[i].domain, &d) : 0;

                if (k < 0)
                        leave_out(m, merge->domains[i].domain->name, k);
        }
        renames_done(&renames);
        r = collect_views(m);
        if (r < 0) {
                (void) log_failure(r, "Cannot take over what the servers configure: %m");
                return;
        }
        tell_conflicts(merge);
        account_task_recover(m); /* before anybody uses these accounts */
        MAP_FOREACH(m->domains, name, d) {
                domain_evaluate(d);
                manager_forget_unmanaged(d);
        }
        ocsp_update(m->ocsp);
        reload_snapshot_arrived(m);
        courier_kick(m->courier);
        plan_recheck(m);
        manager_kick(m);
}

void manager_check(Manager *m) {
        const char *name;
        Domain *d;

        account_bus_read(m);
        (void) servers_read(m->servers);
        MAP_FOREACH(m->domains, name, d) {
                domain_forget_facts(d);
                d->settings_kept = false;
                d->activation_retry = sd_event_source_disable_unref(d->activation_retry); /* tried again now, not later */
        }
        manager_apply_snapshots(m);
        absence_look(m->absence);
        status_check(m->shown);
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
        (void) servers_read(m->servers);
        manager_apply_snapshots(m);
        challenges_purge_stale(m);
        staging_purge_stale(m);
        status_prune(m->shown);
        status_changed(m->shown, NULL);
        /* The name last: who calls finds everything in place. */
        r = sd_bus_request_name(m->bus, BUS_NAME, 0);
        if (r < 0)
                return log_failure(r, "Cannot take the bus name " BUS_NAME ": %m");
        return 0;
}
