/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A directory of the test's own below $TMPDIR or /tmp, removed with everything in it:
 *
 *         _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
 *
 * A test that cannot have one ends the program. None of this stands on src/base, whose tests use it. */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct TmpDir {
        int fd;
        char path[PATH_MAX];
} TmpDir;

TmpDir tmp_dir_make(void);
void tmp_dir_done(TmpDir *dir);
#define _auto_tmp_dir_ __attribute__((cleanup(tmp_dir_done)))

void tmp_dir_write(TmpDir *dir, const char *name, const char *text); /* a file with this content, mode 0600 */
char *tmp_dir_read(TmpDir *dir, const char *name);                   /* NULL: is not there; the caller frees it */
bool tmp_dir_has(TmpDir *dir, const char *name);                     /* anything, also a link into nowhere */
size_t tmp_dir_count(TmpDir *dir, const char *name);                 /* entries of a subdirectory; "." for its own */
