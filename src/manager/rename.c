/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/rename.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "domain/name.h"
#include "domain/rename.h"
#include "manager/adoption.h"
#include "manager/courier.h"
#include "manager/domain.h"
#include "manager/schedule.h"
#include "manager/public.h"
#include "manager/servers.h"
#include "manager/status.h"
#include "manager/task.h"
#include "manager/renewal.h"
#include "store/domain.h"
#include "store/rename.h"

/* Apache holds the lock for as long as it reads certificates. */
#define BUSY_USEC (100 * USEC_PER_MSEC)

static int claimed_names(Manager *m, Map **ret) {
        const SnapshotMerge *merge = servers_merge(m->servers);
        _auto_map_ Map *claimed = map_new();

        if (!claimed)
                return -ENOMEM;
        for (size_t i = 0; i < merge->n_domains; i++) {
                int r = map_put(claimed, merge->domains[i].domain->name, m);

                if (r < 0 && r != -EEXIST)
                        return r;
        }
        *ret = take_ptr(claimed);
        return 0;
}

static int add_candidate(Manager *m, Renames *renames, const char *name) {
        ManagedDomain *d = NULL;
        int r = store_domain_read_md(m->store, STORE_SET_LIVE, name, &d, NULL);

        if (r != 0)
                return r == -ENOMEM ? r : 0; /* nobody knows what it was */
        renames->stored[renames->n] = d;
        renames->candidates[renames->n++] = (RenameCandidate){ d->name, d->names };
        return 0;
}

/* Names in the store that no server has. As long as some server's configuration cannot be read, that is not known of any. */
static int list_names(Manager *m, Renames *renames) {
        _auto_map_ Map *claimed = NULL;
        _auto_strv_ char **names = NULL;
        size_t n = 0;
        int r;

        if (servers_complaints(m->servers))
                return 0;
        r = claimed_names(m, &claimed);
        if (r == 0)
                r = store_domain_list(m->store, STORE_SET_LIVE, &names);
        if (r != 0)
                return r;
        renames->names = calloc(strv_length(names) + 1, sizeof(*renames->names));
        renames->candidates = calloc(strv_length(names) + 1, sizeof(*renames->candidates));
        renames->stored = calloc(strv_length(names) + 1, sizeof(*renames->stored));
        if (!renames->names || !renames->candidates || !renames->stored)
                return -ENOMEM;
        STRV_FOREACH(name, names)
                if (map_get(claimed, *name))
                        free(*name);
                else
                        renames->names[n++] = *name;
        free(take_ptr(names)); /* what it pointed to has another owner */
        return 0;
}

static bool are_known(const Renames *renames) {
        return renames->listed && (!renames->names || !renames->names[renames->next]);
}

bool renames_learn(Manager *m, Renames *renames) {
        int r;

        if (are_known(renames))
                return false;
        if (!renames->listed) {
                renames->listed = true;
                r = list_names(m, renames);
        } else
                r = add_candidate(m, renames, renames->names[renames->next++]);
        if (r < 0)
                (void) log_failure(r, "Cannot look whether the store has new domains under other names: %m");
        return !are_known(renames);
}

void renames_done(Renames *renames) {
        for (size_t i = 0; i < renames->n; i++)
                managed_domain_free(renames->stored[i]);
        free(renames->stored);
        free(renames->candidates);
        strv_free(renames->names);
        *renames = (Renames){ 0 };
}

static bool is_new(const Manager *m, const char *name) {
        return !manager_find_domain(m, name) && !store_domain_exists(m->store, STORE_SET_LIVE, name);
}

bool renames_are_wanted(const Manager *m, const Renames *renames, const ManagedDomain *config) {
        return !are_known(renames) && is_new(m, config->name);
}

/* What is staged can be activated under the new name when it is for the same names. */
static void take_staging(Manager *m, const char *from, const ManagedDomain *config) {
        _cleanup_(managed_domain_freep) ManagedDomain *staged = NULL;
        const char *uncovered;
        size_t missing = 1, more = 1;

        if (store_domain_read_md(m->store, STORE_SET_STAGING, from, &staged, NULL) != 0)
                return;
        if (domain_names_uncovered(staged->names, config->names, &uncovered, &missing) < 0 ||
            domain_names_uncovered(config->names, staged->names, &uncovered, &more) < 0 || missing > 0 || more > 0)
                (void) store_staging_discard(m->store, from);
}

static int move(Manager *m, const char *from, const ManagedDomain *config) {
        LogField fields[] = { { "MD_NAME", config->name } };
        bool was_staged;
        int r;

        take_staging(m, from, config);
        was_staged = store_domain_exists(m->store, STORE_SET_STAGING, from);
        r = store_rename(m->store, from, config->name);
        if (r != STORE_RENAME_DONE)
                return r;
        courier_rename(m->courier, from, config->name);
        if (was_staged)
                (void) store_domain_write_md(m->store, STORE_SET_STAGING, config);
        log_full(LOG_NOTICE, 0, NULL, fields, ELEMENTSOF(fields), "%s: Was %s before: what %s has for it goes on under the new name.", config->name, from,
                 store_path(m->store));
        return r;
}

/* Its own end is that of its renewal, too. */
static void forget(Manager *m, const char *name) {
        _auto_problem_ Problem *problem = NULL;
        Domain *d = manager_find_domain(m, name);

        if (!d) {
                schedule_clear(m->schedule, name);
                return;
        }
        if (d->renewal && domain_orphan(d) == 0) {
                (void) problem_set(&problem, PROBLEM_TYPE_SETTING, "The domain goes by another name now");
                task_end(&d->renewal->task, problem); /* and then the domain is forgotten */
                return;
        }
        status_remove(m->shown, d);
        public_remove(d);
        domain_free(d);
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        m->rename_again = sd_event_source_disable_unref(m->rename_again);
        adoption_begin(m->adoption);
        return 0;
}

static bool try_again(Manager *m) {
        if (m->rename_again)
                return true;
        return sd_event_add_time_relative(m->event, &m->rename_again, CLOCK_MONOTONIC, BUSY_USEC, 0, on_again, m) >= 0;
}

bool rename_if_new(Manager *m, Renames *renames, const ManagedDomain *config) {
        size_t i;
        int r;

        if (!is_new(m, config->name))
                return true;
        while (renames_learn(m, renames))
                ;
        r = rename_choose(config->names, renames->candidates, renames->n, &i);
        if (r == RENAME_FOUND) {
                forget(m, renames->candidates[i].name);
                r = move(m, renames->candidates[i].name, config);
                if (r == STORE_RENAME_E_BUSY)
                        return !try_again(m);
                renames->candidates[i].names = NULL; /* it is another one's now */
        }
        if (r < 0)
                (void) log_failure(r, "%s: Cannot look whether the store has it under another name: %m", config->name);
        return true;
}
