/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/snapshot-merge.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "domain/snapshot-internal.h"

static int compare_ids(const void *a, const void *b) {
        return strcmp((*(Snapshot *const *) a)->id, (*(Snapshot *const *) b)->id);
}

/* Who has a name. Places in the result move while it grows, so maps hold a place plus one. */
static SnapshotMergeDomain *owner_of(const SnapshotMerge *m, const Map *owners, const char *name) {
        void *place = owners ? map_get(owners, name) : NULL;

        return place ? &m->domains[(uintptr_t) place - 1] : NULL;
}

static int add_conflict(SnapshotMerge *m, const char *name, const SnapshotMergeDomain *counts, const SnapshotUse *ignored) {
        if (snapshot_grow(&m->conflicts, m->n_conflicts, sizeof(*m->conflicts)) < 0)
                return -ENOMEM;
        m->conflicts[m->n_conflicts++] = (SnapshotConflict){
                .name = name,
                .counts = counts->server,
                .counts_domain = counts->domain,
                .ignored = ignored->server,
                .ignored_domain = ignored->domain,
        };
        return 0;
}

static int add_use(SnapshotUse **uses, size_t *n, const SnapshotUse *use) {
        if (snapshot_grow(uses, *n, sizeof(**uses)) < 0)
                return -ENOMEM;
        (*uses)[(*n)++] = *use;
        return 0;
}

/* A domain that nobody defined before. */
static int add_merged(SnapshotMerge *m, const SnapshotUse *use) {
        SnapshotMergeDomain *d;
        void *place;

        if (snapshot_grow(&m->domains, m->n_domains, sizeof(*m->domains)) < 0)
                return -ENOMEM;
        m->domains[m->n_domains++] = (SnapshotMergeDomain){ .domain = use->domain, .server = use->server };
        place = (void *) (uintptr_t) m->n_domains;
        d = &m->domains[m->n_domains - 1];
        if (add_use(&d->uses, &d->n_uses, use) < 0 || map_put(m->by_name, use->domain->name, place) < 0)
                return -ENOMEM;
        STRV_FOREACH(name, use->domain->names) {
                int r = map_put(m->by_any_name, *name, place);

                if (r < 0 && r != -EEXIST)
                        return r;
        }
        return 0;
}

static int merge_domain(SnapshotMerge *m, const SnapshotUse *use) {
        SnapshotMergeDomain *other = owner_of(m, m->by_name, use->domain->name);

        if (other) {
                if (managed_domain_settings_equal(other->domain, use->domain))
                        return add_use(&other->uses, &other->n_uses, use);
                return add_conflict(m, use->domain->name, other, use);
        }
        STRV_FOREACH(name, use->domain->names) {
                other = owner_of(m, m->by_any_name, *name);
                if (other && other->server != use->server)
                        return add_conflict(m, *name, other, use);
        }
        return add_merged(m, use);
}

/* Once it is clear who counts. */
static int add_view(SnapshotMerge *m, const SnapshotUse *use) {
        SnapshotMergeDomain *d = owner_of(m, m->by_name, use->domain->name);

        return d ? add_use(&d->views, &d->n_views, use) : 0;
}

static int for_each_use(Snapshot *const *sorted, size_t n, SnapshotMerge *m, int (*handle)(SnapshotMerge *m, const SnapshotUse *use)) {
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < sorted[i]->n_domains; k++) {
                        SnapshotUse use = { .domain = sorted[i]->domains[k], .server = sorted[i] };
                        int r = handle(m, &use);

                        if (r < 0)
                                return r;
                }
        return 0;
}

static int merge_all(Snapshot *const *sorted, size_t n, SnapshotMerge *m) {
        int r;

        m->by_name = map_new();
        m->by_any_name = map_new();
        if (!m->by_name || !m->by_any_name)
                return -ENOMEM;
        r = for_each_use(sorted, n, m, merge_domain);
        return r < 0 ? r : for_each_use(sorted, n, m, add_view);
}

int snapshot_merge(Snapshot *const *snapshots, size_t n, SnapshotMerge *ret) {
        _auto_free_ Snapshot **sorted = NULL;
        SnapshotMerge merge = {};
        int r;

        assert(snapshots || n == 0);
        assert(ret);

        sorted = calloc(n + 1, sizeof(*sorted));
        if (!sorted)
                return -ENOMEM;
        if (n > 0)
                memcpy(sorted, snapshots, n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), compare_ids);
        r = merge_all(sorted, n, &merge);
        if (r < 0) {
                snapshot_merge_done(&merge);
                return r;
        }
        *ret = merge;
        return 0;
}

void snapshot_merge_done(SnapshotMerge *m) {
        if (!m)
                return;

        for (size_t i = 0; i < m->n_domains; i++) {
                free(m->domains[i].uses);
                free(m->domains[i].views);
        }
        free(m->domains);
        free(m->conflicts);
        (void) map_free(m->by_name);
        (void) map_free(m->by_any_name);
        *m = (SnapshotMerge){};
}

const SnapshotMergeDomain *snapshot_merge_find(const SnapshotMerge *m, const char *name) {
        assert(m);

        return owner_of(m, m->by_name, name);
}

const SnapshotMergeDomain *snapshot_merge_find_any(const SnapshotMerge *m, const char *name) {
        const SnapshotMergeDomain *d = snapshot_merge_find(m, name);

        return d ? d : owner_of(m, m->by_any_name, name);
}
