/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Accounts: accounts/ACME-HOST-NNNN/ with account.json and account.pem. Role MANAGER. HOST is the last 16 characters of the CA's host name, NNNN counts from 0000. */

#include "base/json.h"
#include "base/secret.h"
#include "base/strv.h"
#include "store/store.h"

typedef struct Account {
        char *id;       /* directory name */
        char *status;   /* "valid", "deactivated", "revoked", "unknown": the CA did not know it */
        char *url;      /* the CA's name for it ('kid'); NULL: made, but the CA has not answered yet */
        char *ca_url;   /* directory */
        char **contacts;
        char *agreement;
        char *orders;   /* may be NULL */
} Account;

Account *account_free(Account *a);
DEFINE_CLEANUP(Account *, account_free)

enum {
        STORE_ACCOUNT_DONE,
        STORE_ACCOUNT_E_NOT_FOUND,
        STORE_ACCOUNT_E_DAMAGED, /* account.json or account.pem is not what it should be */
};

int store_account_list(Store *s, char ***ret_ids);
int store_account_read(Store *s, const char *id, Account **ret);
int store_account_read_key(Store *s, const char *id, Secret **ret_pem);

/* E_NOT_FOUND from the writers and list: accounts/ (or the account's directory) is missing. */

/* Makes the directory with a free number and writes both files; sets a->id. The key is on disk before the CA hears of it. */
int store_account_create(Store *s, Account *a, const Secret *key_pem);
int store_account_write(Store *s, const Account *a);
