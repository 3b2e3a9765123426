/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* OpenSSL 3: ownership helpers, and its error queue as text. */

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
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
DEFINE_OPENSSL_CLEANUP(GENERAL_NAMES, general_names, GENERAL_NAMES_free)

/* For what OpenSSL hands out with the words "free it with OPENSSL_free()". */
static inline void cleanup_openssl(void *p) {
        OPENSSL_free(*(void **) p);
}

#define _auto_pkey_ _cleanup_(cleanup_pkey)
#define _auto_pkey_ctx_ _cleanup_(cleanup_pkey_ctx)
#define _auto_md_ctx_ _cleanup_(cleanup_md_ctx)
#define _auto_x509_ _cleanup_(cleanup_x509)
#define _auto_x509_req_ _cleanup_(cleanup_x509_req)
#define _auto_bio_ _cleanup_(cleanup_bio)
#define _auto_bn_ _cleanup_(cleanup_bn)
#define _auto_general_names_ _cleanup_(cleanup_general_names)
#define _auto_openssl_ _cleanup_(cleanup_openssl)

/* Empties this thread's error queue into one line of text, printable; "no reason given" when there was nothing in it. NULL: out of
 * memory. */
char *openssl_errors(void);

/* For calls that fail only when memory is short or OpenSSL is broken: empties the queue; -ENOMEM or -EIO. */
int openssl_failure(void);

/* In a function that lets OpenSSL fail: '_auto_error_queue_ int queue = openssl_queue_clear();'. It begins and ends with an empty
 * error queue, because others in this thread (httpd's mod_ssl) look there after their own calls and would take our leftovers for
 * theirs. */
int openssl_queue_clear(void);

static inline void cleanup_error_queue(int *queue) {
        *queue = openssl_queue_clear();
}
#define _auto_error_queue_ _cleanup_(cleanup_error_queue) _unused_

/* For readers of PEM: without one, OpenSSL asks at the terminal for whatever says that it is protected. */
int openssl_no_passphrase(char *buffer, int size, int writing, void *userdata);

/* The message digest to sign with: SHA-256, or NULL for a key type that brings its own (Ed25519, Ed448). */
const EVP_MD *openssl_signing_digest(EVP_PKEY *key);
