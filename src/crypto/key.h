/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private keys. PEM is PKCS#8 without encryption; it only ever lives in a Secret. */

#include "base/key-spec.h"
#include "base/problem.h"
#include "base/secret.h"
#include "crypto/openssl-util.h"

/* A private key in PEM is never larger: RSA of 16384 bits takes 13 KiB. */
#define KEY_PEM_MAX ((size_t) 64 * 1024)

/* Makes a key. An RSA key takes long (up to seconds): not for an event loop. May run in a thread of its own.
 *
 * A curve is any name that OpenSSL knows, case does not matter ("P-256", "secp256r1" and "prime256v1" are the same), or "Ed25519"
 * and "Ed448": they sign, and which kinds of key it takes is the CA's matter. A curve that is not known, one that cannot sign
 * (X25519, X448, SM2), or a number of bits out of bounds is -EINVAL with a problem that names it. */
int key_make(const KeySpec *spec, EVP_PKEY **ret, Problem **ret_problem);

/* PKCS#8. */
int key_to_pem(EVP_PKEY *key, Secret **ret);
/* Reads PKCS#8 and the older forms for RSA and EC. -EBADMSG with a problem: no private key in PEM, of no type that signs for TLS, so large that
 * it would sign for minutes, or protected by a passphrase (nobody is ever asked for one). */
int key_from_pem(const char *pem, size_t size, EVP_PKEY **ret, Problem **ret_problem);
/* Whether its first private key is protected by a passphrase. */
bool key_pem_is_protected(const char *pem, size_t size);

/* The same for keys that are protected by this passphrase (those that are not are read, too). -EBADMSG also for another passphrase,
 * and when its file would have it hashed for longer than a moment. */
int key_from_protected_pem(const char *pem, size_t size, const Secret *passphrase, EVP_PKEY **ret, Problem **ret_problem);

/* Whether the private half belongs to the public one: signs something and verifies it. For keys that others made. */
bool key_works(EVP_PKEY *key);

/* SHA-256 of its public half as it stands in certificates (SubjectPublicKeyInfo), lower-case hex: what a TLSA record "3 1 1" holds. */
int key_public_sha256(EVP_PKEY *key, char **ret_hex);

/* Whether the key is what the spec asks for (RSA of these bits, this curve by whatever name). */
bool key_matches_spec(EVP_PKEY *key, const KeySpec *spec);
