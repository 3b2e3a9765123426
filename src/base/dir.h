/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Directories below a directory descriptor. Links are never followed. */

#include "base/file.h"

enum {
        DIR_DONE,
        DIR_E_NOT_FOUND,
        DIR_E_NOT_DIRECTORY, /* something else stands there */
        DIR_E_EXISTS,        /* rename target, or exclusive creation */
};

int dir_open_at(int dir_fd, const char *name, int *ret_fd);

/* Opens a directory; makes it with exactly this mode (umask does not matter) and owner when it is missing. */
int dir_ensure_at(int dir_fd, const char *name, const FileMode *mode, int *ret_fd);

/* The names in it, sorted, without "." and "..". */
int dir_list(int fd, char ***ret_names);

/* Removes a directory with everything in it. DIR_E_NOT_FOUND when there is none. */
int dir_remove_tree_at(int dir_fd, const char *name);

/* Renames between two directories of one file system without replacing anything (RENAME_NOREPLACE), then syncs both. */
int dir_rename_at(int from_fd, const char *from, int to_fd, const char *to);

int dir_sync(int fd);
