/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Files of other programs, as mdctl import brings them. What cannot be made ends the program. */

#include "base/bundle.h"
#include "crypto/openssl-util.h"
#include "manager/import.h"

#define FOREIGN_NOW_USEC ((uint64_t) 1800000000 * 1000000)
#define FOREIGN_DAY_USEC ((uint64_t) 86400 * 1000000)

typedef struct Foreign {
        struct {
                char *name;
                char *data;
                size_t size;
        } files[BUNDLE_FILES_MAX];
        size_t n;
        Bundle bundle;
} Foreign;

void foreign_done(Foreign *f);
#define _auto_foreign_ __attribute__((cleanup(foreign_done)))

void foreign_put(Foreign *f, const char *name, const void *data, size_t size); /* or replaces it */
void foreign_put_text(Foreign *f, const char *name, const char *text);
void foreign_remove(Foreign *f, const char *name);

/* A key in PEM; with 'passphrase' protected by it. */
void foreign_put_key(Foreign *f, const char *name, EVP_PKEY *key, const void *passphrase, size_t size);
/* A certificate for this key and these names, and the one of its CA behind it, unless 'alone'. 'until_usec' 0: in 60 days. */
void foreign_put_chain(Foreign *f, const char *name, EVP_PKEY *key, char *const *names, uint64_t until_usec, bool alone);
/* The CA's. */
void foreign_put_ca(Foreign *f, const char *name);

/* For a reader; valid until the next one. */
ImportSource foreign_source(Foreign *f, const char *name);
