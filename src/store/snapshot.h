/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* servers/: written by Apache's root parent, read by the manager and the launcher. */

#include "domain/snapshot.h"
#include "store/store.h"

enum {
        STORE_SNAPSHOT_DONE,
        STORE_SNAPSHOT_UNCHANGED,   /* write: the same content stands there already; nothing was written */
        STORE_SNAPSHOT_E_NOT_FOUND, /* list: there is no servers/, which is not the same as no server */
        STORE_SNAPSHOT_E_REFUSED,   /* read: *ret_problem names the file and what is wrong with it */
};

/* Role SERVER. Writes servers/ID.json root:GROUP 0640 atomically, when it differs from what is there, but for "written", or has another mode or
 * group. 'group' is the manager's; (gid_t) -1 leaves it. A missing servers/ is made. -EFBIG: larger than the reader takes. */
int store_snapshot_write(Store *s, const Snapshot *snapshot, gid_t group);
/* The same, also when it does not differ: "written" says that the server was there. */
int store_snapshot_write_anew(Store *s, const Snapshot *snapshot, gid_t group);

/* The ids, sorted. */
int store_snapshot_list(Store *s, char ***ret_ids);

/* Reads one; refused unless root owns file (and no one else may write). *ret_complaints as snapshot_parse(). */
int store_snapshot_read(Store *s, const char *id, Snapshot **ret, char ***ret_complaints, Problem **ret_problem);

/* Forgets a server instance (role SERVER). */
int store_snapshot_remove(Store *s, const char *id);
