/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Lists of revoked certificates, as they were fetched: crls/SHA256.crl, by the URL that they came from. They are public, and believed by nobody who has not
 * verified them. Role MANAGER; several threads may. */

#include "store/store.h"

enum {
        STORE_CRL_DONE,
        STORE_CRL_E_NOT_FOUND, /* there is none; from the writer: crls/ is missing and cannot be made */
};

enum { STORE_CRL_MAX = 8 * 1024 * 1024 };

typedef struct StoreCrl {
        void *data; /* owned */
        size_t size;
        uint64_t written_usec;
} StoreCrl;

/* 'key' is the SHA-256 of the URL in lower-case hex; -EINVAL: it is not. The caller frees the data. */
int store_crl_read(Store *s, const char *key, StoreCrl *ret);
/* Some list is wanted: there is something in crls/ from now on, which md-ocsp.service takes for a sign that there is something to do. */
int store_crl_ensure(Store *s);
int store_crl_write(Store *s, const char *key, const void *data, size_t size);

/* Removes those that 'is_used' does not know ('key' NULL: whether there is any). Negative: the first failure, the rest is done. */
int store_crl_prune(Store *s, bool (*is_used)(const char *key, void *userdata), void *userdata);
