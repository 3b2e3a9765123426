/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Some files in one piece, on their way from who may read them to who understands them: for each "SIZE NAME\n", SIZE bytes, and a NUL byte. */

#include "base/secret.h"

enum {
        BUNDLE_FILES_MAX = 64,
        BUNDLE_NAME_MAX = 1024,
        BUNDLE_FILE_MAX = 1024 * 1024,
        BUNDLE_SIZE_MAX = 8 * 1024 * 1024,
};

/* Borrowed from the bundle. Behind the content stands a NUL byte that is not counted. */
typedef struct BundleFile {
        const char *name; /* printable ASCII without blanks */
        const char *data;
        size_t size;
} BundleFile;

typedef struct Bundle {
        Secret *bytes; /* keys may be among them */
        BundleFile files[BUNDLE_FILES_MAX];
        size_t n;
} Bundle;

enum {
        BUNDLE_DONE,
        BUNDLE_E_INVALID, /* not of this form, too many or too large, a name that is none or is there twice */
};

bool bundle_name_is_valid(const char *name) _pure_;

/* Writes one behind the others. BUNDLE_E_INVALID: the name or the size cannot be. */
int bundle_write(int fd, const char *name, const void *data, size_t size);

/* Nobody can change the memory (memfd_create(2) with MFD_ALLOW_SEALING) any more. */
int bundle_seal(int fd);

/* Reads memory that is sealed, which never waits for anybody; whatever else 'fd' may be is BUNDLE_E_INVALID. */
int bundle_read(int fd, Bundle *ret);

/* Takes 'bytes', also when it fails. */
int bundle_parse(Secret *bytes, Bundle *ret);
void bundle_done(Bundle *b);
#define _auto_bundle_ _cleanup_(bundle_done)

/* NULL: there is none of this name. */
const BundleFile *bundle_find(const Bundle *b, const char *name) _pure_;
