/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What outlives one piece of work: the transport with its connections, and a client for each CA with its directory and nonces. */

#include "acme/client.h"

typedef struct AcmeSession AcmeSession;

AcmeSession *acme_session_new(void); /* NULL: out of memory */
AcmeSession *acme_session_free(AcmeSession *s);
DEFINE_CLEANUP(AcmeSession *, acme_session_free)

/* With another transport, which is taken, also on failure. NULL: out of memory. */
AcmeSession *acme_session_new_with(const AcmeTransport *transport);

typedef int (*AcmeWork)(AcmeClient *c, const AcmeDirectory *directory, void *userdata, Problem **ret_problem);

/* One piece of work with one CA, whose directory the signer has accepted when it begins. Negative errno: *ret_problem says what went wrong and
 * what was being done (never NULL unless out of memory). */
int acme_session_work(AcmeSession *s, const AcmeCa *ca, const AcmeSigner *signer, AcmeWork work, void *userdata, Problem **ret_problem);
