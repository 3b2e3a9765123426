/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Release helpers for what the C library hands out: memory, descriptors, streams, directories. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macro.h"

static inline void cleanup_free(void *p) {
        free(*(void **) p);
}

static inline void cleanup_close(int *fd) {
        if (*fd >= 0)
                (void) close(*fd);
}

static inline void cleanup_fclose(FILE **f) {
        if (*f)
                (void) fclose(*f);
}

static inline void cleanup_closedir(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

#define _auto_free_ _cleanup_(cleanup_free)
#define _auto_close_ _cleanup_(cleanup_close)
#define _auto_fclose_ _cleanup_(cleanup_fclose)
#define _auto_closedir_ _cleanup_(cleanup_closedir)
