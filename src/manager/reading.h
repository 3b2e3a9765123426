/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What takes long of getting to know the servers' configurations, as errands: reading and parsing, merging, and giving back the memory. */

#include "base/problem.h"
#include "domain/snapshot-merge.h"
#include "manager/errands.h"
#include "store/store.h"

/* One file. */
typedef struct FoundSnapshot {
        char *id;
        int outcome;        /* of store_snapshot_read() */
        Snapshot *snapshot; /* what was read */
        char **complaints;
        Problem *problem;
} FoundSnapshot;

typedef struct Reading {
        Store *store; /* borrowed; several threads may use it */
        void (*done)(struct Reading *reading, void *userdata); /* in the loop; owns it */
        void *userdata;

        int outcome; /* of store_snapshot_list() */
        FoundSnapshot *found;
        size_t n;
} Reading;

Reading *reading_free(Reading *r);
extern const ErrandClass reading_class;

typedef struct Merging {
        Snapshot **snapshots; /* nobody changes or frees them meanwhile */
        size_t n;
        Snapshot **owned; /* those of them that go with it when it is freed */
        size_t n_owned;
        void (*done)(struct Merging *merging, void *userdata);
        void *userdata;

        int outcome;
        SnapshotMerge merge;
} Merging;

Merging *merging_free(Merging *m);
extern const ErrandClass merging_class;

/* What nobody looks at any more. */
typedef struct Leftovers {
        struct Leftovers *next; /* older ones */
        Snapshot **snapshots;
        size_t n;
        SnapshotMerge merge;
} Leftovers;

Leftovers *leftovers_free(Leftovers *l);
extern const ErrandClass leftovers_class;
