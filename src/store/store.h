/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The store: directory descriptors below its root. All paths of the store are walked from here, links are not followed. */

#include "base/dir.h"
#include "base/problem.h"
#include "store/layout.h"

typedef enum StoreRole {
        STORE_ROLE_MANAGER, /* the owner of the keys: opens what it owns, makes again what is missing below directories it owns */
        STORE_ROLE_SERVER,  /* Apache's root parent, and the launcher (reads servers/ only) */
        STORE_ROLE_CHILD,   /* Apache's children: challenges/, ocsp/, status/ */
} StoreRole;

typedef struct Store Store;

enum {
        STORE_DONE,
        STORE_E_UNUSABLE, /* *ret_problem names the path, what is wrong with it, and what to do */
};

/* Opens the store at 'path', which is absolute (a link to a directory is followed in it, nowhere below). Directories are opened afresh by each
 * function, so that one that somebody deleted and made again is found, and several threads may use one Store. Nothing is written below a
 * directory of another owner (-EPERM); role SERVER, which is root, also asks that nobody else may write to it. Role MANAGER makes those below '.' that it may (none,
 * when root owns '.'): a missing one is told with the command that makes it again (systemd-tmpfiles --create). */
int store_open(const char *path, StoreRole role, Store **ret, Problem **ret_problem);

/* The same checks again, for when something failed and the reason is to be told: STORE_E_UNUSABLE with *ret_problem. */
int store_check(Store *s, Problem **ret_problem);

Store *store_close(Store *s);
DEFINE_CLEANUP(Store *, store_close)
const char *store_path(const Store *s);
StoreRole store_role(const Store *s);

/* A fresh descriptor of one of the STORE_… directories. DIR_E_NOT_FOUND, DIR_E_NOT_DIRECTORY. */
int store_open_dir(Store *s, const char *directory, int *ret_fd);

/* Role MANAGER, before it writes there: removes what writes that a crash interrupted left in DIRECTORY/NAME. Not found is done. */
int store_tidy(Store *s, const char *directory, const char *name);

/* Whether 'name' can be a directory name of a domain: one component of printable ASCII without blanks, not hidden, at most 253 bytes. */
bool store_name_is_valid(const char *name) _pure_;
