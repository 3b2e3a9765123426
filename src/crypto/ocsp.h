/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* OCSP (RFC 6960): the bytes to ask with, and what of an answer can be believed. A certificate is known by its issuer and its serial number. */

#include "base/problem.h"
#include "crypto/openssl-util.h"

enum {
        OCSP_REQUEST_BYTES_MAX = 1024,
        OCSP_RESPONSE_BYTES_MAX = 64 * 1024,
};

/* SHA-1 of a certificate's DER in lower-case hex: what mod_ssl knows it by. */
int ocsp_certificate_id(X509 *cert, char **ret_hex);

/* A request, with a random nonce or without one (what is asked by GET, caches are to know again: RFC 5019 section 5). 'serial' in hex. -EINVAL: it is no serial
 * number. The caller frees *ret_der. */
int ocsp_request_make(X509 *issuer, const char *serial, bool with_nonce, void **ret_der, size_t *ret_size);

typedef struct OcspAnswer {
        bool revoked;          /* else good */
        bool key_compromised;  /* revoked because somebody else may have the key */
        uint64_t revoked_usec; /* 0: not revoked */
        uint64_t from_usec, until_usec; /* thisUpdate, and nextUpdate or 12 hours later; or the end of the responder's own certificate, when that is sooner */
} OcspAnswer;

/* Whether a response answers this request and is to be believed: it is signed by the issuer, or by a responder whose certificate the issuer signed for that
 * purpose; it is about this certificate, and says one thing about it; its nonce, when it has one, is ours; it counts now. "unknown" is no answer. Without 'request'
 * (NULL), for a response that was kept, nobody looks at the nonce. -EBADMSG with a problem (PROBLEM_TYPE_OCSP) that says what is wrong. */
int ocsp_response_verify(const void *der, size_t size, const void *request, size_t request_size, X509 *issuer, const char *serial, uint64_t now_usec,
                         OcspAnswer *ret, Problem **ret_problem);
