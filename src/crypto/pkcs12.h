/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Certificates with or without their key as PKCS#12 (RFC 7292), encrypted as OpenSSL's defaults have it: AES-256, SHA-256.
 *
 * With a key, the same content under the same password is the same bytes, and any other content has other salts: whether a file is what it should be is seen without
 * deciphering it, which takes as long as the file says. */

#include "base/problem.h"
#include "base/secret.h"
#include "crypto/cert.h"
#include "crypto/openssl-util.h"

/* The leaf with its key (NULL: without) and 'name', the rest of the chain behind it; DER. A key that is not the leaf's: -EBADMSG with a problem. */
int pkcs12_make(const CertChain *chain, EVP_PKEY *key, const char *name, const char *password, Secret **ret, Problem **ret_problem);
