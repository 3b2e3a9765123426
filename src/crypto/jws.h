/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* JSON Web Keys and Signatures for ACME (RFC 7517, RFC 7638, RFC 8555 section 6.2): ES256, ES384 and RS256 by the key's type.
 * Any other key is -EINVAL: account keys are made by us. */

#include "base/json.h"
#include "base/secret.h"
#include "crypto/openssl-util.h"

/* "ES256", "ES384" or "RS256"; NULL: this key signs no JWS of ours. */
const char *jws_algorithm(EVP_PKEY *key);

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

/* The inner object of a key change (RFC 8555 section 7.3.5): signed by the new key, for the account at 'account_url', whose key is
 * 'old_key'. Flattened JSON: the payload of the outer request to 'url'. */
int jws_key_change(EVP_PKEY *new_key, EVP_PKEY *old_key, const char *url, const char *account_url, char **ret);

/* An external account binding (RFC 8555 section 7.3.4): the account's public key, signed with HS256 and the MAC key that the CA gave for
 * 'kid'. 'url' is that of the new-account request. */
int jws_bind_account(EVP_PKEY *account_key, const char *kid, const Secret *mac_key, const char *url, JsonObject **ret);

/* token "." thumbprint, RFC 8555 section 8.1. The token comes from the CA: one that is not base64url is -EINVAL. */
int jws_key_authorization(EVP_PKEY *account_key, const char *token, char **ret);
