/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* JSON Web Keys and Signatures for ACME (RFC 7517, RFC 7638, RFC 8555 section 6.2): ES256, ES384 and RS256 by the key's type.
 * Any other key is -EINVAL: account keys are made by us. */

#include "base/json.h"
#include "crypto/openssl-util.h"

/* The public key; members in the order of RFC 7638. */
int jwk_from_key(EVP_PKEY *key, JsonObject **ret);
/* base64url of the SHA-256 thumbprint, RFC 7638. */
int jwk_thumbprint(EVP_PKEY *key, char **ret);

typedef struct JwsHeader {
        const char *url;
        const char *nonce; /* NULL: none (inner objects) */
        const char *kid;   /* the account's URL; NULL: "jwk" with the public key stands there instead */
} JwsHeader;

/* Flattened JSON serialization. 'payload' is the text of the payload; "" for POST-as-GET. */
int jws_sign(EVP_PKEY *key, const JwsHeader *header, const char *payload, char **ret);

/* token "." thumbprint, RFC 8555 section 8.1. The token comes from the CA: one that is not base64url is -EINVAL. */
int jws_key_authorization(EVP_PKEY *account_key, const char *token, char **ret);
