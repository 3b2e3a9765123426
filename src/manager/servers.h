/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The servers: their snapshots, watched with inotify and merged. A snapshot that cannot be read is told and the last good one counts. */

#include "domain/snapshot.h"
#include "manager/manager.h"

int servers_new(Manager *m, Servers **ret);
Servers *servers_free(Servers *s);

/* Reads all again. True when something changed. */
bool servers_read(Servers *s);
const SnapshotMerge *servers_merge(const Servers *s);
/* The current ones, in the order of their ids. */
Snapshot *const *servers_snapshots(const Servers *s, size_t *ret_n);
/* Refused snapshots, for mdctl check: lines "FILE: why". */
char *const *servers_complaints(const Servers *s);

/* Watches one directory of the store below domains/, so that what somebody deletes by hand is noticed. */
void servers_watch_domain(Servers *s, Domain *d);
