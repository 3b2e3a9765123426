/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Looking certificates up in a list of revoked ones: an errand (manager/errands.h). */

#include "manager/domain.h"

typedef struct CrlLookCert {
        char *domain, *sha256;
        KeySpec spec;
        bool known; /* the list says what follows */
        bool revoked, key_compromised;
} CrlLookCert;

typedef struct CrlLook {
        Manager *manager; /* the loop's */
        Store *store;
        char *url, *key;
        void *data;  /* NULL: what the store has is read */
        size_t size;
        bool fetched; /* it is news, and is kept when it is good */
        uint64_t not_before_usec; /* there is one of this time already */
        CrlLookCert *certs;
        size_t n;

        /* What came of it: unless it failed there is a list that at least one of the certificates believes in. */
        uint64_t from_usec, until_usec; /* 0 for the end: it says none */
        uint64_t fetched_usec; /* when what the store has was written */
        bool failed;
        Problem *problem; /* NULL although it failed: out of memory, or the store has none */
} CrlLook;

int crl_look_new(Manager *m, const char *url, const char *key, CrlLook **ret);
CrlLook *crl_look_free(CrlLook *l);
int crl_look_add(CrlLook *l, const Domain *d, const CertFacts *f);
int crl_look_set_data(CrlLook *l, const void *data, size_t size);

/* In the thread. */
void crl_look_work(void *errand);
