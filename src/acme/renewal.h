/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One certificate from a CA, from the directory to the chain: the way of RFC 8555 section 7 as one run. */

#include "acme/session.h"

typedef struct AcmeRenewal {
        AcmeCa ca;
        const char *account_url;      /* NULL or "": register first */
        const char *order_url;        /* NULL or "": none to resume */
        char *const *challenge_types; /* allowed, in order of preference */
        uint64_t step_timeout_usec;   /* each of validation, readiness and issuance; 0: 300 s */
        bool update_account;          /* tell the CA first what is new of the account; no failure of this matters */
        bool want_alternates;         /* deliver the other chains that the CA offers, too */
} AcmeRenewal;

/* Runs it. 0: the signer took the chain. Negative errno: *ret_problem says what went wrong (never NULL unless out of memory). */
int acme_renewal_run(AcmeSession *session, const AcmeRenewal *renewal, const AcmeSigner *signer, Problem **ret_problem);
