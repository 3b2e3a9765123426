/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* OpenSSL 3: ownership helpers, and its error queue as text. */

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/macro.h"

#define DEFINE_OPENSSL_CLEANUP(type, name, release)             \
        static inline void cleanup_##name(type **p) {           \
                release(*p); /* takes NULL */                   \
        }

DEFINE_OPENSSL_CLEANUP(EVP_PKEY, pkey, EVP_PKEY_free)
DEFINE_OPENSSL_CLEANUP(EVP_PKEY_CTX, pkey_ctx, EVP_PKEY_CTX_free)
DEFINE_OPENSSL_CLEANUP(EVP_MD_CTX, md_ctx, EVP_MD_CTX_free)
DEFINE_OPENSSL_CLEANUP(X509, x509, X509_free)
DEFINE_OPENSSL_CLEANUP(X509_REQ, x509_req, X509_REQ_free)
DEFINE_OPENSSL_CLEANUP(BIO, bio, BIO_free_all)
DEFINE_OPENSSL_CLEANUP(BIGNUM, bn, BN_free)
#define _auto_pkey_ _cleanup_(cleanup_pkey)
#define _auto_pkey_ctx_ _cleanup_(cleanup_pkey_ctx)
#define _auto_md_ctx_ _cleanup_(cleanup_md_ctx)
#define _auto_x509_ _cleanup_(cleanup_x509)
#define _auto_x509_req_ _cleanup_(cleanup_x509_req)
#define _auto_bio_ _cleanup_(cleanup_bio)
#define _auto_bn_ _cleanup_(cleanup_bn)

/* Empties this thread's error queue into one line of text. NULL: out of memory. */
char *openssl_errors(void);
