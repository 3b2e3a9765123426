/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/revocation.h"

#include <errno.h>

#include "acme/problem.h"
#include "base/cleanup.h"

static int revoke_it(AcmeClient *c, const AcmeDirectory *directory, void *userdata, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        _auto_problem_ Problem *why = NULL;
        AcmePost post = { .kind = ACME_REQUEST_REVOKE, .url = directory->revoke_cert };
        int r;

        acme_client_set_activity(c, "revoking the certificate");
        if (!directory->revoke_cert) {
                problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "The CA does not offer to revoke certificates (its directory has no 'revokeCert')");
                return -EOPNOTSUPP;
        }
        r = acme_client_post(c, &post, &answer, &why);
        if (r == 0 || acme_problem_is(why, "alreadyRevoked"))
                return 0;
        *ret_problem = take_ptr(why);
        return r < 0 ? r : -EREMOTEIO;
}

int acme_revocation_run(AcmeSession *session, const AcmeCa *ca, const AcmeSigner *signer, Problem **ret_problem) {
        return acme_session_work(session, ca, signer, revoke_it, NULL, ret_problem);
}
