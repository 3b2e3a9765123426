/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a CA is asked about accounts and revocations: the payloads of RFC 8555 sections 7.3 and 7.6. */

#include "base/json.h"
#include "crypto/openssl-util.h"

typedef struct AccountRequest {
        char *const *contacts;
        bool agreed;              /* to the terms of service */
        bool only_existing;       /* nothing is made: the account of this key is looked for */
        JsonObject *binding;      /* to an external account; NULL: none. Borrowed. */
} AccountRequest;

/* new-account. */
int account_request_new(const AccountRequest *q, char **ret);
/* A change of the account: its contacts are these from now on, unless the list is empty; consent is told when there is one. */
int account_request_update(const AccountRequest *q, char **ret);
int account_request_deactivate(char **ret);

/* RFC 5280 section 5.3.1, those that subscribers give: "keyCompromise", …; case does not matter. -EINVAL: it is none. */
int revocation_reason_from_string(const char *s, unsigned *ret);
/* 'reason' NULL: none is told. */
int revocation_request(X509 *cert, const unsigned *reason, char **ret);
