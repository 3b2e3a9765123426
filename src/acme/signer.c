/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/signer.h"

#include "base/enum-table.h"

static const char *const acme_request_kind_table[] = {
        [ACME_REQUEST_NEW_ACCOUNT] = "new-account",
        [ACME_REQUEST_NEW_ORDER] = "new-order",
        [ACME_REQUEST_CHALLENGE] = "challenge",
        [ACME_REQUEST_FINALIZE] = "finalize",
        [ACME_REQUEST_POST_AS_GET] = "post-as-get",
};

DEFINE_ENUM_TABLE(acme_request_kind, AcmeRequestKind)
