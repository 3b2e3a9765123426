/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of store/ share among themselves; nobody else includes this but their unit tests. */

#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/key-spec.h"
#include "base/secret.h"
#include "store/archive.h"

struct Store {
        char *path;
        StoreRole role;

        /* Only unit tests set these: a look between two durable steps (a test dies there), and a file system that cannot exchange. */
        void (*on_step)(const char *done, void *userdata);
        void *userdata;
        bool without_exchange;
};

void store_step(const Store *s, const char *done);

/* The files of one set; no file of the store is written with any other mode, but what Apache's children or the manager's group read. */
#define STORE_PRIVATE_FILE ((FileMode){ .mode = 0600, .uid = (uid_t) -1, .gid = (gid_t) -1 })

/* Trusted to say what root wants: root's, or our own, and nobody else may write. */
bool store_is_trusted(const struct stat *st);

/* One of the STORE_… directories for writing. It is made when it is missing and may be made (with group 'gid', unless that is -1);
 * -EPERM: it is not ours, so we do not write there. Outcomes of base/dir.h. */
int store_open_writable(Store *s, const char *directory, gid_t gid, int *ret_fd);

/* Opens DIRECTORY/NAME for reading. A name that cannot be one is not found. */
int store_open_sub(Store *s, const char *directory, const char *name, int *ret_fd);

/* Opens DIRECTORY/NAME for writing: makes it when it is missing, durable, and puts its mode right. -EPERM: it is not ours; -EINVAL: no name. */
int store_ensure_sub(Store *s, const char *directory, const char *name, mode_t mode, int *ret_fd);
int store_ensure_at(const Store *s, int dir_fd, const char *name, mode_t mode, int *ret_fd);

/* The directories in an open directory whose names are valid, sorted. */
int store_list_directories(int fd, char ***ret_names);

/* A file, or a directory with everything in it; not found is done. */
int store_remove_at(int dir_fd, const char *name);
int store_remove_temporaries(int dir_fd);

bool store_has_file(int dir_fd, const char *name); /* regular and not empty */

/* Reads a file as text without NUL bytes. FILE_E_NOT_REGULAR also stands for those. */
int store_read_text(int dir_fd, const char *name, size_t max, char **ret_text, size_t *ret_size);

/* Reads a key; an empty file is FILE_E_NOT_REGULAR. */
int store_read_secret(int dir_fd, const char *name, Secret **ret);

/* Moves FROM/NAME to the next free place of NAME in the archive, and tells its name there. */
int store_archive_take(Store *s, int from_fd, const char *name, char ret_entry[static STORE_ARCHIVE_ENTRY_SIZE]);

bool store_set_has_certificate(int dir_fd); /* some pubcert*.pem */

/* challenges/NAME/ of an identifier: "*.example.org" is proven as "example.org". NULL: that is no name. */
const char *store_challenge_directory(const char *name);
/* Opens it for writing. What stands there may be of no use: a file, or a directory that has lost the bit that hands down the group and cannot get it back;
 * then it is made anew. STORE_CHALLENGE_E_NOT_FOUND as in store/challenge.h. */
int store_challenge_ensure(Store *s, const char *name, int *ret_fd);
/* Removes it, unless there is another answer in it. */
int store_challenge_leave(int challenges_fd, const char *name);
