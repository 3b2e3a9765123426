/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Earlier sets of a domain, archive/NAME.N: the number is larger for what came later. What is in one is read by store/domain.h, as set STORE_SET_ARCHIVE of the name
 * that it has here. Activation adds to the archive, and so does who takes over sets from elsewhere. */

#include "store/store.h"

#define STORE_ARCHIVE_ENTRY_SIZE 256

typedef struct ArchivedSet {
        uint64_t number;
        uint64_t archived_usec; /* since when it is there */
} ArchivedSet;

/* The newest, at most 'max', newest first. The caller frees *ret_sets, which is NULL when there is none. */
int store_archive_list(Store *s, const char *name, size_t max, ArchivedSet **ret_sets, size_t *ret_n);

/* What the set is called in the archive. A name so long that ".N" might not fit is archived under its beginning and a hash. */
void store_archive_entry(const char *name, uint64_t number, char ret_entry[static STORE_ARCHIVE_ENTRY_SIZE]);

/* The set in the making goes to the archive, without ever having been live here. -ENOENT: there is none. Role MANAGER. */
int store_archive_staging(Store *s, const char *name);

/* Removes one; not found is done. */
int store_archive_remove(Store *s, const char *name, uint64_t number);

/* Keeps at most 'keep' sets of a domain, the newest. */
int store_archive_prune(Store *s, const char *name, unsigned keep);

/* Removes the sets of all domains that came to the archive before that time. One that cannot be removed does not keep the others: the first error is returned
 * after the last. *ret_n: how many were removed, also then. */
int store_archive_prune_before(Store *s, uint64_t before_usec, size_t *ret_n);
