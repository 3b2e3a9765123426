/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Certificates with or without their key as PKCS#12 (RFC 7292), encrypted as OpenSSL's defaults have it: AES-256, SHA-256. */

#include "base/problem.h"
#include "base/secret.h"
#include "crypto/cert.h"
#include "crypto/openssl-util.h"

#define PKCS12_SIZE_MAX ((size_t) 2 * 1024 * 1024) /* of what is read */

/* The leaf with its key (NULL: without) and 'name', the rest of the chain behind it; DER. A key that is not the leaf's: -EBADMSG with a problem. */
int pkcs12_make(const CertChain *chain, EVP_PKEY *key, const char *name, const char *password, Secret **ret, Problem **ret_problem);

/* Whether it holds just this key and this chain, and opens with this password: no two that are made are the same bytes. */
bool pkcs12_holds(const void *data, size_t size, const char *password, EVP_PKEY *key, const CertChain *chain);
