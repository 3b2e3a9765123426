/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The account at the CA (RFC 8555 section 7.3). */

#include "acme/session.h"
#include "base/enum-table.h"

/* Makes the account of the signer's key, or finds it when the CA knows the key already, and tells the signer its URL. */
int acme_account_register(AcmeClient *c, const AcmeDirectory *directory, Problem **ret_problem);

/* Tells the CA what is new of the account: its contacts. */
int acme_account_update(AcmeClient *c, const char *url, Problem **ret_problem);

enum {
        ACME_ACCOUNT_DONE,   /* it lives, or nothing can be known */
        ACME_ACCOUNT_E_DEAD, /* the CA says that it has done with it: *ret_problem may have its words */
};

/* Asks the CA whether the account is still one. What is no clear word (some CAs answer with a page in HTML) is none against the account. */
int acme_account_look(AcmeClient *c, const char *url, Problem **ret_problem);

typedef enum AcmeAccountOperation {
        ACME_ACCOUNT_REGISTER,
        ACME_ACCOUNT_UPDATE,
        ACME_ACCOUNT_DEACTIVATE,
        ACME_ACCOUNT_KEY_CHANGE,
        _ACME_ACCOUNT_OPERATION_MAX,
} AcmeAccountOperation;

/* "register", "update", "deactivate", "key-change" */
DECLARE_ENUM_TABLE(acme_account_operation, AcmeAccountOperation);

/* One of them as a whole. 'url' is the account's, of which register has no need. The signer is told by account_created() or account_done(). */
int acme_account_run(AcmeSession *session, const AcmeCa *ca, AcmeAccountOperation operation, const char *url, const AcmeSigner *signer,
                     Problem **ret_problem);
