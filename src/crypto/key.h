/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private keys. PEM is PKCS#8 without encryption; it only ever lives in a Secret. */

#include "base/key-spec.h"
#include "base/problem.h"
#include "base/secret.h"
#include "crypto/openssl-util.h"

/* Makes a key. An RSA key takes long (up to seconds): not for an event loop. A curve that OpenSSL does not know is -EINVAL with a problem that
 * names it. May run in a thread of its own. */
int key_make(const KeySpec *spec, EVP_PKEY **ret, Problem **ret_problem);

int key_to_pem(EVP_PKEY *key, Secret **ret);
/* -EBADMSG with a problem: no private key in PEM. Never asks for a passphrase. */
int key_from_pem(const char *pem, size_t size, EVP_PKEY **ret, Problem **ret_problem);

/* Whether the key is what the spec asks for (RSA of these bits, this curve). */
bool key_matches_spec(EVP_PKEY *key, const KeySpec *spec);
