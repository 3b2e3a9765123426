/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Lists of revoked certificates (CRL, RFC 5280 section 5): what one that somebody brought says of a certificate, as far as it can be believed. */

#include "base/problem.h"
#include "crypto/openssl-util.h"

enum { CRL_BYTES_MAX = 8 * 1024 * 1024 };

typedef struct Crl {
        X509_CRL *crl;
        uint64_t from_usec, until_usec; /* thisUpdate, and nextUpdate; 0: it does not say how long it counts */
} Crl;

void crl_done(Crl *c);
#define _auto_crl_ _cleanup_(crl_done)

/* DER as RFC 5280 section 4.2.1.13 says, or PEM as some CAs do. -EBADMSG with a problem (PROBLEM_TYPE_CRL): it is none. */
int crl_read(const void *data, size_t size, Crl *ret, Problem **ret_problem);

typedef struct CrlAnswer {
        bool revoked;
        bool key_compromised; /* revoked because somebody else may have the key */
} CrlAnswer;

/* What it says of 'cert'. It has to be signed by 'issuer' and be about all reasons and about certificates like this one (its issuing distribution point is one of
 * those that the certificate names), and it has to count now. -EBADMSG with a problem (PROBLEM_TYPE_CRL) that says what is wrong. */
int crl_check(const Crl *c, X509 *cert, X509 *issuer, uint64_t now_usec, CrlAnswer *ret, Problem **ret_problem);
