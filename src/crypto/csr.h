/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Certificate requests (RFC 2986), as RFC 8555 section 7.4 wants them. */

#include "base/problem.h"
#include "crypto/openssl-util.h"

/* DER, base64url. CN is the first name only if shorter than 64 characters; subjectAltName has all, IP addresses as such; SHA-256
 * unless the key type brings its own digest. -EINVAL with a problem: no names, too many, or one that cannot stand in a certificate.
 * The caller frees *ret_base64url. */
int csr_make(EVP_PKEY *key, char *const *names, bool must_staple, char **ret_base64url, Problem **ret_problem);
