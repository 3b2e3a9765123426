/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Files below a directory descriptor: bounded reads, and the one way in which a file is replaced.
 *
 * 'name' is a single path component; links are never followed. */

#include <sys/types.h>

#include "base/macro.h"

enum {
        FILE_DONE,
        FILE_E_NOT_FOUND,
        FILE_E_TOO_LARGE,
        FILE_E_NOT_REGULAR, /* a link, directory, device, … stands there */
};

/* Reads a whole regular file. The result is followed by a NUL byte that is not counted; a caller that treats it as text checks that
 * strlen() agrees with *ret_size (may be NULL). */
int file_read_at(int dir_fd, const char *name, size_t max, char **ret_data, size_t *ret_size);

typedef struct FileMode {
        mode_t mode;
        uid_t uid; /* (uid_t) -1: leave it */
        gid_t gid; /* (gid_t) -1: leave it */
} FileMode;

/* Writes ".NAME.XXXXXX" in the same directory with the exact mode (umask does not matter), syncs it, renames it to 'name', syncs the
 * directory. After a crash at any point 'name' holds the old content or the new, whole. On failure nothing is left behind. */
int file_replace_at(int dir_fd, const char *name, const void *data, size_t size, const FileMode *mode);

/* The same for what can be made again at any time, without waiting for the disk: a crash of the machine may leave 'name' empty or torn. */
int file_replace_derived_at(int dir_fd, const char *name, const void *data, size_t size, const FileMode *mode);

/* The same as file_replace_at(), by way of ".NAME.MARK.XXXXXX": in a directory of others, who have hidden files of their own. */
int file_replace_marked_at(int dir_fd, const char *name, const char *mark, const void *data, size_t size, const FileMode *mode);

/* Removes a file and syncs the directory. FILE_E_NOT_FOUND when there is none. */
int file_remove_at(int dir_fd, const char *name);

/* True for the temporary names that these make; a crash can leave one. */
bool file_is_temporary_name(const char *name) _pure_;
/* Only for those that file_replace_marked_at() makes for this file with this mark. */
bool file_is_marked_temporary_name(const char *temporary, const char *name, const char *mark) _pure_;
