/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/reading.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "store/snapshot.h"

/* --- Reading --- */

static void read_one(Store *store, FoundSnapshot *f) {
        f->outcome = store_snapshot_read(store, f->id, &f->snapshot, &f->complaints, &f->problem);
        for (size_t i = 0; f->snapshot && i < f->snapshot->n_domains; i++)
                managed_domain_fit_protocol(f->snapshot->domains[i]);
}

static int read_all(Reading *r) {
        _auto_strv_ char **ids = NULL;
        int k = store_snapshot_list(r->store, &ids);

        if (k != 0)
                return k;
        r->found = calloc(strv_length(ids) + 1, sizeof(*r->found));
        if (!r->found)
                return -ENOMEM;
        for (; ids && ids[r->n]; r->n++) {
                r->found[r->n].id = take_ptr(ids[r->n]);
                read_one(r->store, &r->found[r->n]);
        }
        free(take_ptr(ids)); /* the texts went */
        return 0;
}

static void work_on_reading(void *errand) {
        Reading *r = errand;

        r->outcome = read_all(r);
        /* What the text became while it was parsed takes a multiple of what stays. */
        (void) malloc_trim(0);
}

static void reading_done(void *errand) {
        Reading *r = errand;

        r->done(r, r->userdata);
}

static void release_reading(void *errand) {
        reading_free(errand);
}

const ErrandClass reading_class = { .work = work_on_reading, .done = reading_done, .release = release_reading };

Reading *reading_free(Reading *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n; i++) {
                free(r->found[i].id);
                snapshot_free(r->found[i].snapshot);
                strv_free(r->found[i].complaints);
                problem_free(r->found[i].problem);
        }
        free(r->found);
        free(r);
        return NULL;
}

/* --- Merging --- */

static void work_on_merging(void *errand) {
        Merging *m = errand;

        m->outcome = snapshot_merge(m->snapshots, m->n, &m->merge);
}

static void merging_done(void *errand) {
        Merging *m = errand;

        m->done(m, m->userdata);
}

static void release_merging(void *errand) {
        merging_free(errand);
}

const ErrandClass merging_class = { .work = work_on_merging, .done = merging_done, .release = release_merging };

static void free_snapshots(Snapshot **snapshots, size_t n) {
        for (size_t i = 0; i < n; i++)
                snapshot_free(snapshots[i]);
        free(snapshots);
}

Merging *merging_free(Merging *m) {
        if (!m)
                return NULL;
        snapshot_merge_done(&m->merge);
        free_snapshots(m->owned, m->n_owned);
        free(m->snapshots);
        free(m);
        return NULL;
}

/* --- Leftovers --- */

static void work_on_leftovers(void *errand) {
        Leftovers *l = errand;

        snapshot_merge_done(&l->merge);
        free_snapshots(take_ptr(l->snapshots), l->n);
        l->n = 0;
        l->next = leftovers_free(l->next);
        (void) malloc_trim(0);
}

static void release_leftovers(void *errand) {
        leftovers_free(errand);
}

const ErrandClass leftovers_class = { .work = work_on_leftovers, .done = release_leftovers, .release = release_leftovers };

Leftovers *leftovers_free(Leftovers *l) {
        if (!l)
                return NULL;
        leftovers_free(l->next);
        snapshot_merge_done(&l->merge);
        free_snapshots(l->snapshots, l->n);
        free(l);
        return NULL;
}
