/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/archive.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/archive.h"

typedef struct Pruning {
        Store *store; /* borrowed; several threads may use it */
        uint64_t before_usec;
        size_t n;
        int outcome;
} Pruning;

static void work(void *errand) {
        Pruning *p = errand;

        p->outcome = store_archive_prune_before(p->store, p->before_usec, &p->n);
}

static void done(void *errand) {
        Pruning *p = errand;

        if (p->outcome < 0)
                (void) log_failure(p->outcome, "Cannot remove everything that is too old from %s/" STORE_ARCHIVE ": %m", store_path(p->store));
        if (p->n > 0)
                log_info("%zu archived set%s of certificates and keys removed: older than ArchiveMaxAgeSec=.", p->n, p->n == 1 ? " was" : "s were");
        free(p);
}

static const ErrandClass pruning_class = { .work = work, .done = done, .release = free };

void archive_prune(Manager *m) {
        uint64_t age = m->settings.archive_age_usec;
        Pruning *p;

        if (age == 0)
                return;
        p = calloc(1, sizeof(*p));
        if (!p) {
                (void) log_oom();
                return;
        }
        *p = (Pruning){ .store = m->store, .before_usec = usec_sub(clock_now_usec(), age) };
        if (errands_send(m->errands, &pruning_class, p) < 0) {
                free(p);
                (void) log_oom();
        }
}
