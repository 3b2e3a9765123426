/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* When the CA would like certificates to be renewed (RFC 9773). */

#include "acme/session.h"

enum { ACME_CERTIFICATE_ID_MAX = 256 };

typedef struct AcmeCertificateId {
        const char *token; /* what the signer calls it */
        const char *id;    /* RFC 9773 section 4.1: key identifier and serial number, in base64url, with a dot between */
} AcmeCertificateId;

void acme_renewal_info_done(AcmeRenewalInfo *info);

/* Reads an answer's body; 'url' is where it came from, for the problem. Negative errno with *ret_problem: it tells nothing. */
int acme_renewal_info_parse(const char *url, const char *data, size_t size, AcmeRenewalInfo *ret, Problem **ret_problem);

/* Asks for all of them, and tells the signer what came of each, by renewal_info() or renewal_info_failed(). When the CA cannot be reached, or
 * wants to be left alone, those that are left are told the same. 0: all are told. */
int acme_renewal_info_run(AcmeSession *session, const AcmeCa *ca, const AcmeCertificateId *certificates, size_t n_certificates,
                          const AcmeSigner *signer, Problem **ret_problem);
