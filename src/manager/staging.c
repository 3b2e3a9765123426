/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/staging.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "manager/servers.h"
#include "store/domain.h"

static void discard(Store *store, const char *name, const Job *job) {
        LogField fields[] = { { "MD_NAME", name } };
        int r;

        if (job && job->phase == JOB_PHASE_STAGED)
                return;
        r = store_staging_discard(store, name);
        if (r < 0)
                (void) log_full(LOG_WARNING, r, NULL, fields, ELEMENTSOF(fields), "%s: Cannot remove what was begun in %s/" STORE_STAGING "/%s: %m", name,
                                store_path(store), name);
}

void staging_forget(const Domain *d) {
        discard(d->manager->store, DOMAIN_NAME(d), d->job);
}

void staging_purge_stale(Manager *m) {
        _auto_strv_ char **names = NULL;

        /* Whose configuration cannot be read may have more domains than we know of. */
        if (servers_complaints(m->servers) || store_domain_list(m->store, STORE_SET_STAGING, &names) != 0)
                return;
        STRV_FOREACH(name, names) {
                _cleanup_(job_freep) Job *job = NULL;

                if (manager_find_domain(m, *name))
                        continue;
                (void) store_domain_read_job(m->store, *name, &job);
                discard(m->store, *name, job);
        }
}
