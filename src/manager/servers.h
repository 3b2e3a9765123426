/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The servers: their snapshots, watched with inotify and merged. A snapshot that cannot be read is told and the last good one counts. */

#include "domain/snapshot-merge.h"
#include "manager/manager.h"

int servers_new(Manager *m, Servers **ret);
Servers *servers_free(Servers *s);

/* Has them read and merged in the thread, and adopted (manager/adoption.h); again, when somebody asks meanwhile. */
void servers_look(Servers *s);
/* At start: reads and merges at once, and begins the adoption. */
void servers_look_now(Servers *s);
/* The adoption is over; 'all': no domain borrows from what counted before. */
void servers_adopted(Servers *s, bool all);
bool servers_are_settled(const Servers *s);

const SnapshotMerge *servers_merge(const Servers *s);
/* The current ones, in the order of their ids. */
Snapshot *const *servers_snapshots(const Servers *s, size_t *ret_n);
/* Refused snapshots, for mdctl check: lines "FILE: why". */
char *const *servers_complaints(const Servers *s);

/* Watches one directory of the store below domains/, so that what somebody deletes by hand is noticed. */
void servers_watch_domain(Servers *s, Domain *d);
void servers_unwatch_domain(Servers *s, Domain *d);
