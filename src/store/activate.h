/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A staged set becomes the live one.
 *
 * Steps, and what a reader finds if the machine stops behind each:
 *   1. staging/NAME is completed with md.json, a copy of job.json and, last, the file "activated"     the old set
 *   2. staging/NAME moves to tmp/NAME                                                                 the old set
 *   3. tmp/NAME and domains/NAME change places (RENAME_EXCHANGE)                                      the new set
 *   4. tmp/NAME, now the old set, goes to archive/NAME.N when it has a certificate, else it is removed the new set
 * If domains/NAME is missing, 3 is a plain rename and 4 has nothing to do. On a file system that cannot exchange, 3 is two renames, the old set
 * to the archive and the new one in its place; between them a reader finds none.
 *
 * What lies in tmp/NAME tells a crash: with "activated" it is the new set (between 2 and 3; it goes back to staging), without, the old one (between
 * 3 and 4; it goes to the archive). When domains/NAME is missing, tmp/NAME takes its place, whichever it is. Before step 1
 * the live set loses an "activated" of its own, so that there never are two. */

#include "base/key-spec.h"
#include "store/store.h"

enum {
        STORE_ACTIVATE_DONE,
        STORE_ACTIVATE_E_INCOMPLETE, /* a key or chain of 'specs' is missing in staging; nothing was changed */
        STORE_ACTIVATE_E_BUSY,       /* a server reads certificates just now; nothing was changed; try again in a moment */
        STORE_ACTIVATE_E_NOT_FOUND,  /* domains/, staging/ or tmp/ is missing: store_check() tells it */
};

/* Done when the new set is live; an old one that could not be moved to the archive then waits in tmp/ for the next activation or recovery. */
int store_activate(Store *s, const char *name, const KeySpecs *specs);

/* Finishes or undoes what a crash left, for all domains, and removes temporary names. One that cannot be mended does not spoil the others: the first error
 * is returned after the last domain. *ret_names (ret_names may be NULL) are the names that were mended; it may be the empty list. */
int store_activate_recover(Store *s, char ***ret_names);
