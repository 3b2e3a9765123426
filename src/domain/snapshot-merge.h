/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The snapshots of several servers, merged. */

#include "base/map.h"
#include "domain/snapshot.h"

/* Which domain of which server counts, when several servers share the store. Snapshots are taken in the order of their ids;
 * the first one that names a domain counts, and another definition of the same name with other settings, or of a name that a
 * domain of another server has, is a conflict. Equal definitions are shared. Domains of one server may overlap: whether that
 * is well is the server's business (MDMatchNames). */
typedef struct SnapshotConflict {
        const char *name;         /* the name in question; borrowed */
        const Snapshot *counts, *ignored;
        const ManagedDomain *counts_domain, *ignored_domain;
} SnapshotConflict;

typedef struct SnapshotUse {
        const ManagedDomain *domain; /* borrowed from 'server' */
        const Snapshot *server;
} SnapshotUse;

typedef struct SnapshotMergeDomain {
        const ManagedDomain *domain; /* borrowed from 'server' */
        const Snapshot *server;
        /* Every server that defines it so, with the one above in front; their "used", "refused" and "served" may differ. */
        SnapshotUse *uses;
        size_t n_uses;
        /* Every server that defines one of this name, however, in the order of their ids. */
        SnapshotUse *views;
        size_t n_views;
} SnapshotMergeDomain;

typedef struct SnapshotMerge {
        SnapshotMergeDomain *domains;
        size_t n_domains;
        SnapshotConflict *conflicts;
        size_t n_conflicts;
        Map *by_name;     /* first names */
        Map *by_any_name; /* all names */
} SnapshotMerge;

/* Linear in the number of names. The snapshots must outlive the result. */
int snapshot_merge(Snapshot *const *snapshots, size_t n, SnapshotMerge *ret);
void snapshot_merge_done(SnapshotMerge *m);

/* The domain that counts; NULL: there is none. */
const SnapshotMergeDomain *snapshot_merge_find(const SnapshotMerge *m, const char *name);
/* The one that has this name among its names: its own, or the first that came. */
const SnapshotMergeDomain *snapshot_merge_find_any(const SnapshotMerge *m, const char *name);
