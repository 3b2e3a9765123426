/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Bytes that are wiped when they are released. For private keys and MAC keys; never formatted into a message. */

#include "base/macro.h"

typedef struct Secret {
        char *data; /* followed by a NUL byte that is not counted */
        size_t size;
} Secret;

/* Copies 'size' bytes. NULL: out of memory. */
Secret *secret_new(const void *data, size_t size);
/* Room for so many bytes, all zero. NULL: out of memory. */
Secret *secret_new_empty(size_t size);
Secret *secret_free(Secret *s);

/* Wipes memory in a way that the compiler does not remove. */
void secret_wipe(void *data, size_t size);

DEFINE_CLEANUP(Secret *, secret_free)
#define _auto_secret_ _cleanup_(secret_freep)
