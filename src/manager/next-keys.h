/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The keys that a domain's next certificates will have, made ahead (MDNextKey) so that what pins them (DANE, a TLSA record) can be told before they are
 * used. Each lies in reserve/NAME/ from the moment when its predecessor went live until it goes live itself. */

#include "base/secret.h"
#include "crypto/openssl-util.h"
#include "manager/domain.h"

/* Makes what is missing, and drops what is live by now, revoked, or not wanted any more. Has the domain told when it is done. */
void next_keys_update(Domain *d);
/* The files may be others now. */
void next_keys_forget(Domain *d);
void next_keys_done(Domain *d);

/* The hash of the key made ahead, as key_public_sha256(); NULL: there is none. */
const char *next_key_sha256(const Domain *d, const KeySpec *spec);

/* Reads a private key. 0 without *ret: it is damaged, not what the spec asks for, or one of a revoked certificate. ret_sha256 may be NULL. */
int next_key_from_pem(const Domain *d, const KeySpec *spec, const Secret *pem, EVP_PKEY **ret, char **ret_sha256);
