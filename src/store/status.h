/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the status pages show, ready to serve: status/NAME.json holds one JSON object for each managed domain, and status/.manager.json what
 * is not about one domain. All of it can be made again at any time, so that nothing here waits for the disk; a reader who finds something else
 * than one whole object takes it for missing. Readers see a file whole or not at all, but after a crash of the machine. */

#include "store/store.h"

enum {
        STORE_STATUS_DONE,
        STORE_STATUS_UNCHANGED,   /* the same stands there already */
        STORE_STATUS_E_NOT_FOUND, /* no such file, none that can be believed; from the writers: status/ is missing and cannot be made */
};

/* The member with the log of what happened: long, and the last one. */
#define STORE_STATUS_LOG "log"

enum {
        STORE_STATUS_MAX = 1024 * 1024,
};

/* Role MANAGER. 'name' NULL: of the manager itself. -EINVAL: no name. */
int store_status_write(Store *s, const char *name, const char *text);
int store_status_remove(Store *s, const char *name); /* not found is done */
/* Removes the files of all domains but these. */
int store_status_prune(Store *s, char *const *names);

/* Role CHILD or MANAGER: a descriptor to read several from. */
int store_status_open(Store *s, int *ret_fd);
/* Role CHILD or MANAGER. One whole JSON object as text, from a descriptor of store_status_open(). The caller frees it. */
int store_status_read_at(int fd, const char *name, char **ret_text, size_t *ret_size);
