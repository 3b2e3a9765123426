/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/signer.h"

#include <stdlib.h>

#include "base/enum-table.h"

static const char *const acme_request_kind_table[] = {
        [ACME_REQUEST_NEW_ACCOUNT] = "new-account",
        [ACME_REQUEST_ACCOUNT_UPDATE] = "account-update",
        [ACME_REQUEST_ACCOUNT_DEACTIVATE] = "account-deactivate",
        [ACME_REQUEST_KEY_CHANGE] = "key-change",
        [ACME_REQUEST_NEW_ORDER] = "new-order",
        [ACME_REQUEST_CHALLENGE] = "challenge",
        [ACME_REQUEST_FINALIZE] = "finalize",
        [ACME_REQUEST_REVOKE] = "revoke",
        [ACME_REQUEST_POST_AS_GET] = "post-as-get",
};

DEFINE_ENUM_TABLE(acme_request_kind, AcmeRequestKind)

void acme_challenge_check_done(AcmeChallengeCheck *check) {
        free(check->type);
        free(check->expect);
        free(check->record);
        strv_free(check->issuers);
        *check = (AcmeChallengeCheck){};
}
