/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/adoption.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "manager/rename.h"
#include "manager/servers.h"
#include "manager/turns.h"

typedef enum AdoptionPhase {
        ADOPTION_IDLE,
        ADOPTION_DOMAINS,   /* those that servers name */
        ADOPTION_ORPHANS,   /* those that no server names any more */
        ADOPTION_CONFLICTS, /* are told */
} AdoptionPhase;

struct Adoption {
        Manager *manager;
        AdoptionPhase phase;
        size_t next; /* place in what is gone through */
        Renames renames;
        size_t n_changed, n_orphans;
        bool taking; /* one is being taken up, which the bus asks about for its own signals */
        bool failed; /* for a domain that is known: it goes on with what was configured before */
};

int adoption_new(Manager *m, Adoption **ret) {
        Adoption *a = calloc(1, sizeof(*a));

        if (!a)
                return -ENOMEM;
        a->manager = m;
        *ret = a;
        return 0;
}

Adoption *adoption_free(Adoption *a) {
        if (!a)
                return NULL;
        renames_done(&a->renames);
        free(a);
        return NULL;
}

bool adoption_is_running(const Adoption *a) {
        return a->phase != ADOPTION_IDLE;
}

/* --- One domain --- */

static bool views_equal(const Domain *d, const SnapshotMergeDomain *merged) {
        if (d->n_servers != merged->n_views)
                return false;
        for (size_t i = 0; i < d->n_servers; i++)
                if (!snapshot_server_equal(d->servers[i].snapshot, merged->views[i].server) ||
                    !managed_domain_equal(d->servers[i].view, merged->views[i].domain))
                        return false;
        return managed_domain_equal(d->config, merged->domain);
}

/* Nothing is to be done that a look at it could bring forth. */
static bool is_at_rest(const Domain *d) {
        if (d->decision.action != DECISION_NOTHING && d->decision.action != DECISION_WAIT)
                return false;
        return d->managed && d->live_known && d->settings_kept && d->job_kept && !d->renewal && !d->activation_retry && d->inotify_wd >= 0 &&
                (d->wanted_usec == 0 || d->wanted_usec > clock_now_usec());
}

static int set_views(Domain *d, const SnapshotMergeDomain *merged) {
        DomainServer *servers = calloc(merged->n_views + 1, sizeof(*servers));

        if (!servers)
                return -ENOMEM;
        for (size_t i = 0; i < merged->n_views; i++)
                servers[i] = (DomainServer){ merged->views[i].server, merged->views[i].domain };
        free(d->servers);
        d->servers = servers;
        d->n_servers = merged->n_views;
        return 0;
}

static void set_config(Domain *d, const ManagedDomain *config) {
        if (d->settings_kept && !managed_domain_names_equal(d->config, config))
                memset(d->job->issued_usec, 0, sizeof(d->job->issued_usec)); /* CAs count sets of names */
        if (!managed_domain_settings_equal(d->config, config))
                d->settings_kept = false;
        domain_borrow_config(d, config);
        for (size_t i = 0; i < key_specs_count(&config->keys); i++) {
                KeySpec spec = key_specs_get(&config->keys, i);

                key_maker_stock(d->manager->keys, &spec);
        }
}

static int adopt(Adoption *a, const SnapshotMergeDomain *merged) {
        Domain *d = manager_find_domain(a->manager, merged->domain->name);
        bool same = d && d->managed && views_equal(d, merged);
        int r = 0;

        if (!d)
                r = domain_new(a->manager, merged->domain->name, &d);
        if (r >= 0)
                r = set_views(d, merged);
        if (r < 0)
                return r;
        d->adopted = true;
        if (same) {
                domain_borrow_config(d, merged->domain);
                if (is_at_rest(d))
                        return 0;
        } else
                set_config(d, merged->domain);
        d->managed = true;
        a->n_changed += !same;
        turns_remove(a->manager->turns, d);
        domain_evaluate(d);
        return 0;
}

/* One that cannot be taken up does not keep the others from it. */
static void leave_out(Adoption *a, const char *name, int error) {
        LogField fields[] = { { "MD_NAME", name } };
        const char *why = error == -EEXIST ? "its name is so long that its unit would have the name of another domain's" : strerror(-error);
        _auto_free_ char *text = str_printf("This domain cannot be taken up: %s", why);
        Domain *d = manager_find_domain(a->manager, name);

        log_full(LOG_ERR, 0, NULL, fields, ELEMENTSOF(fields), "%s: This domain cannot be taken up: %s", name, why);
        if (text && strv_extend(&a->manager->left_out, name) >= 0)
                (void) strv_extend(&a->manager->left_out, text);
        if (d)
                d->adopted = a->failed = true;
}

static void take(Adoption *a, const SnapshotMergeDomain *merged) {
        Domain *d = manager_find_domain(a->manager, merged->domain->name);
        int r;

        if ((d && d->adopted) || a->taking)
                return;
        a->taking = true;
        if (!rename_if_new(a->manager, &a->renames, merged->domain))
                r = 0; /* all are gone through again when it can be renamed */
        else
                r = adopt(a, merged);
        a->taking = false;
        if (r < 0)
                leave_out(a, merged->domain->name, r);
}

void adoption_take(Adoption *a, const char *name) {
        const SnapshotMergeDomain *merged;

        if (a->phase != ADOPTION_DOMAINS)
                return;
        merged = snapshot_merge_find(servers_merge(a->manager->servers), name);
        if (merged)
                take(a, merged);
}

/* --- All of them --- */

/* What the store knows is read in steps of its own before the first new domain is taken up. */
static void step_domains(Adoption *a, const SnapshotMerge *merge) {
        const SnapshotMergeDomain *merged = &merge->domains[a->next];

        if (renames_are_wanted(a->manager, &a->renames, merged->domain) && renames_learn(a->manager, &a->renames))
                return;
        a->next++;
        take(a, merged);
}

void adoption_begin(Adoption *a) {
        Manager *m = a->manager;
        const char *name;
        Domain *d;

        MAP_FOREACH(m->domains, name, d)
                d->adopted = false;
        m->left_out = strv_free(m->left_out);
        renames_done(&a->renames);
        a->phase = ADOPTION_DOMAINS;
        a->next = a->n_changed = a->n_orphans = 0;
        a->failed = false;
        turns_wake(m->turns);
}

static Domain *next_orphan(Adoption *a) {
        const char *name;
        Domain *d;

        while (map_next(a->manager->domains, &a->next, &name, (void **) &d))
                if (!d->adopted)
                        return d;
        return NULL;
}

static void tell_conflict(const SnapshotConflict *c) {
        LogField fields[] = { { "MD_NAME", c->name } };

        log_full(LOG_WARNING, 0, MESSAGE_DOMAIN_CONFLICT, fields, ELEMENTSOF(fields), "%s: Servers '%s' and '%s' configure this domain differently; '%s' counts.",
                 c->name, c->counts->id, c->ignored->id, c->counts->id);
}

static void end(Adoption *a) {
        char count[24];
        LogField fields[] = { { "MD_DOMAINS", count } };
        size_t n_servers;

        a->phase = ADOPTION_IDLE;
        renames_done(&a->renames);
        (void) servers_snapshots(a->manager->servers, &n_servers);
        (void) snprintf(count, sizeof(count), "%zu", map_size(a->manager->domains));
        log_full(LOG_INFO, 0, NULL, fields, ELEMENTSOF(fields), "Servers: %zu, domains: %s; new or changed: %zu, not configured any more: %zu.", n_servers, count,
                 a->n_changed, a->n_orphans);
        manager_adopted(a->manager, !a->failed);
}

static void step_orphans(Adoption *a) {
        Domain *d = next_orphan(a);
        int r;

        if (!d) {
                a->phase = ADOPTION_CONFLICTS;
                a->next = 0;
                return;
        }
        d->adopted = true;
        if (!d->managed)
                return; /* for longer than that */
        r = domain_orphan(d);
        if (r < 0) {
                a->failed = true;
                (void) log_failure(r, "%s: Cannot be forgotten: %m", DOMAIN_NAME(d));
                return;
        }
        a->n_orphans++;
        turns_remove(a->manager->turns, d);
        domain_evaluate(d);
        manager_forget_unmanaged(d);
}

void adoption_step(Adoption *a) {
        const SnapshotMerge *merge = servers_merge(a->manager->servers);

        switch (a->phase) {

        case ADOPTION_IDLE:
                break;

        case ADOPTION_DOMAINS:
                if (a->next < merge->n_domains) {
                        step_domains(a, merge);
                        break;
                }
                a->phase = ADOPTION_ORPHANS;
                a->next = 0;
                break;

        case ADOPTION_ORPHANS:
                step_orphans(a);
                break;

        case ADOPTION_CONFLICTS:
                if (a->next < merge->n_conflicts)
                        tell_conflict(&merge->conflicts[a->next++]);
                else
                        end(a);
                break;
        }
}
