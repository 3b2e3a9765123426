/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The certificate that answers a tls-alpn-01 challenge, as a CA judges it (RFC 8737 section 3). Pure. */

#include <openssl/x509.h>

#include "base/macro.h"

static inline void certificate_freep(X509 **certificate) {
        X509_free(*certificate);
}
#define _auto_certificate_ _cleanup_(certificate_freep)

/* The name that the CA sends in the handshake: the identifier, or the name of an address below in-addr.arpa or ip6.arpa (RFC 8738 section 6).
 * NULL: out of memory. */
char *alpn_proof_server_name(const char *identifier);

enum {
        ALPN_PROOF_DONE,
        ALPN_PROOF_E_WRONG, /* *ret_why says what is: "shows a certificate without …" */
};

/* 'expect': the SHA-256 digest of the key authorization, in hex. */
int alpn_proof_check(const X509 *certificate, const char *identifier, const char *expect, char **ret_why);
