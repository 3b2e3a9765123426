/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One certificate from a CA, from the directory to the chain: the way of RFC 8555 section 7 as one run. */

#include "acme/signer.h"

typedef struct AcmeRenewal {
        const char *directory_url;
        const char *ca_file;          /* PEM bundle that replaces the system's trust; NULL: the system's */
        const char *user_agent;
        const char *account_url;      /* NULL or "": register first */
        const char *order_url;        /* NULL or "": none to resume */
        char *const *challenge_types; /* allowed, in order of preference */
        uint64_t step_timeout_usec;   /* each of validation, readiness and issuance; 0: 300 s */
} AcmeRenewal;

typedef struct AcmeSession AcmeSession; /* connections, directories and nonces that outlive one renewal (for workers that do several) */

AcmeSession *acme_session_new(void);
AcmeSession *acme_session_free(AcmeSession *s);
DEFINE_CLEANUP(AcmeSession *, acme_session_free)

/* Runs it. 0: the signer took the chain. Negative errno: *ret_problem says what went wrong (never NULL unless out of memory). */
int acme_renewal_run(AcmeSession *session, const AcmeRenewal *renewal, const AcmeSigner *signer, Problem **ret_problem);
