/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The external account that a domain's accounts are bound to (RFC 8555 section 7.3.4): what MDExternalAccountBinding says, or the
 * systemd credential that it names, {"kid": …, "hmac": …}, read each time. The MAC key stays here: others see a hash of it. */

#include "base/problem.h"
#include "base/secret.h"
#include "domain/domain.h"
#include "store/account.h"

typedef struct ExternalAccount {
        char *kid;       /* NULL: none is configured */
        Secret *mac_key;
        char *sha256;    /* of the MAC key, hex */
} ExternalAccount;

void external_account_done(ExternalAccount *e);
#define _auto_external_account_ _cleanup_(external_account_done)

/* -EINVAL with a problem (PROBLEM_TYPE_EAB) that says what is wrong with the setting or the credential, and never what the key is. */
int external_account_read(const ManagedDomain *settings, ExternalAccount *ret, Problem **ret_problem);

/* An account serves only who has the binding that it has, or none as it has none. */
bool external_account_matches(const ExternalAccount *e, const Account *a);
/* The account says from now on that it has this binding. */
int external_account_note(const ExternalAccount *e, Account *a);
