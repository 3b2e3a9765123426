/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whether a certificate chain and a private key belong together, seen from their encoding alone. Reading them into OpenSSL's objects
 * takes ten times as long, which a server with thousands of pairs feels at each start. */

#include <stddef.h>

enum {
        PAIR_MATCHES,
        PAIR_E_UNKNOWN, /* this says nothing: they must be read (another form or type of key, damage, …) */
};

/* PEM certificates and a key in unencrypted PKCS#8, RSA or EC on a named curve. The public key that stands in the private one is
 * compared with that of the leaf, which is what OpenSSL does; every block has to be well-formed DER to its last byte. On success
 * *ret_sha256 receives the leaf's fingerprint in lower-case hex; the caller frees it. -ENOMEM. */
int pair_look(const char *chain_pem, size_t chain_size, const char *key_pem, size_t key_size, char **ret_sha256);
