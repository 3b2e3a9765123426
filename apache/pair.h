/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whether a certificate and a key can be handed to the TLS module, which would stop the whole server for one pair that it
 * cannot load. */

#include "apr_pools.h"

#include "base/secret.h"

/* On success *ret_sha256 (may be NULL) receives the fingerprint of the leaf, in lower-case hex, from 'p'. Otherwise *ret_why
 * says what is wrong. */
bool pair_is_usable(apr_pool_t *p, const char *chain_pem, const Secret *key_pem, const char **ret_sha256, const char **ret_why);

typedef struct PairLeaf {
        const char *sha256; /* lower-case hex */
        const char *pem;    /* the leaf alone */
} PairLeaf;

/* The same for files of the administrator's, anywhere, which may have any form that the TLS module takes: both in one file, parameters between them, a key
 * with a passphrase, which the TLS module asks for (SSLPassPhraseDialog) and which is believed to belong to the certificate. */
bool pair_files_are_usable(apr_pool_t *p, const char *cert_file, const char *key_file, PairLeaf *ret, const char **ret_why);
