/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Private keys as JSON Web Keys (RFC 7517, RFC 7518 section 6), as other programs keep those of their accounts. */

#include "base/json.h"
#include "base/problem.h"
#include "crypto/openssl-util.h"

enum { JWK_RSA_BITS_MAX = 8192 };

/* RSA with all its numbers, and EC on P-256 and P-384. -EBADMSG with a problem: a member is missing or no number, or the private half does not
 * belong to the public one. */
int jwk_private_key(JsonObject *jwk, EVP_PKEY **ret, Problem **ret_problem);
