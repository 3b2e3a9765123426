/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Revocation (RFC 8555 section 7.6): which certificate, why and with whose key is the signer's business. */

#include "acme/session.h"

/* 0: the certificate is revoked, also when it was before. */
int acme_revocation_run(AcmeSession *session, const AcmeCa *ca, const AcmeSigner *signer, Problem **ret_problem);
