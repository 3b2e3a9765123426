/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A small CA for tests: it signs whatever it is told, also what no CA should. */

#include "crypto/openssl-util.h"

#define ISSUE_NOW_USEC ((uint64_t) 1800000000 * 1000000) /* 2027-01-15, what the tests call now */
#define ISSUE_DAY_USEC ((uint64_t) 86400 * 1000000)

#define NAMES(...) ((char *const *) (const char *const[]){ __VA_ARGS__, NULL })

typedef struct Issue {
        EVP_PKEY *key;                              /* of the new certificate */
        X509 *issuer;                               /* NULL: signs itself */
        EVP_PKEY *issuer_key;
        const char *subject;                        /* CN; NULL: none */
        char *const *names;                         /* NULL: no extension of that kind, unless 'san' */
        GENERAL_NAMES *san;                         /* instead of 'names', as it stands; borrowed */
        uint64_t not_before_usec, not_after_usec;   /* 0: yesterday, in 60 days */
        const char *serial_hex;                     /* NULL: 1 */
        const char *key_id_hex;                     /* authority key identifier */
        const char *ocsp_url;
        const uint8_t *tls_feature;                 /* DER */
        size_t tls_feature_size;
        bool ca;
        void (*change)(X509 *cert);                 /* before it is signed */
} Issue;

/* Ends the program when it cannot. */
X509 *issue(const Issue *i);
EVP_PKEY *issue_key(void);     /* P-256 */
EVP_PKEY *issue_rsa_key(void); /* 2048 bits, the same one every time; the caller frees its reference */

/* Adds an extension with this DER inside. */
void issue_add_der(X509 *cert, int nid, const void *der, size_t size);
/* Adds a dNSName of these very bytes. */
void issue_add_dns(GENERAL_NAMES *san, const void *bytes, size_t size);
