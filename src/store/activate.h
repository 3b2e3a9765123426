/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A staged set becomes the live one.
 *
 * Steps, and what a reader finds if the machine stops behind each:
 *   1. staging/NAME is completed with md.json and a copy of job.json, synced          the old set
 *   2. staging/NAME and domains/NAME change places (RENAME_EXCHANGE)                  the new set; staging/NAME holds the old one
 *   3. what is in staging/NAME goes to archive/NAME.N when it has a certificate, else it is removed
 * A crash between 2 and 3 is mended by store_activate_recover(): it tells an old set from a new one by the file "activated" that step 1 puts into the set. */

#include "base/key-spec.h"
#include "store/store.h"

enum {
        STORE_ACTIVATE_DONE,
        STORE_ACTIVATE_E_INCOMPLETE, /* a key or chain of 'specs' is missing in staging; nothing was changed */
        STORE_ACTIVATE_E_BUSY,       /* a server reads certificates just now; nothing was changed; try again in a moment */
};

int store_activate(Store *s, const char *name, const KeySpecs *specs);

/* Finishes or undoes what a crash left, for all domains. Returns the names that were mended (may be NULL). */
int store_activate_recover(Store *s, char ***ret_names);

/* Keeps at most 'keep' archived sets of a domain, the newest. */
int store_archive_prune(Store *s, const char *name, unsigned keep);
