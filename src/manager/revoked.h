/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What it means that a CA says of a certificate that it was revoked, by whatever way. */

#include "manager/domain.h"

/* 'f' is a certificate of the domain's: of its live set, or of MDCertificateFile. That is told once, also over restarts, and a reason to renew it from now on.
 * 'source': where the CA says so. */
void revoked_note(Domain *d, const CertFacts *f, bool key_compromised, const char *source);
