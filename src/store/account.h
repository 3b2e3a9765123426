/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Accounts: accounts/ACME-HOST-NNNN/ with account.json and account.pem. Role MANAGER. HOST is the last 16 characters of the CA's host name, NNNN counts from 0000.
 *
 * account.next.pem is a key that is to take account.pem's place: it lies there from before the CA is asked until the CA has answered. Whoever
 * finds it does not know which of the two the CA knows. */

#include "base/json.h"
#include "base/secret.h"
#include "base/strv.h"
#include "store/store.h"

typedef struct Account {
        char *id;       /* directory name */
        char *status;   /* "valid", "deactivated", "revoked", "unknown": the CA did not know it */
        char *url;      /* the CA's name for it ('kid'); NULL: made, but the CA has not answered yet */
        char *ca_url;   /* directory */
        char **contacts; /* as the CA was told last */
        char *agreement; /* the terms of service that were agreed to, or "accepted"; NULL: none */
        char *terms;     /* those that the CA publishes, where they are not what was agreed to; NULL: nothing new */
        char *orders;    /* may be NULL */
        char *eab_kid;   /* external account that it was bound to; NULL: none */
        char *eab_sha256; /* of that one's MAC key, hex: never the key itself */
        char *eab_hmac;  /* as mod_md keeps it, until eab_sha256 takes its place */
        char *key_of;    /* the account that lent its key to this one; NULL: it has its own */
        uint64_t rejected_usec; /* when its status became "unknown"; 0: it did not */
        bool try_again;         /* … and whoever said so may have been wrong */
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

/* The next key. Taken: account.pem is the new one from now on, with one rename. E_NOT_FOUND: there is none. */
int store_account_write_next_key(Store *s, const char *id, const Secret *key_pem);
int store_account_read_next_key(Store *s, const char *id, Secret **ret_pem);
int store_account_take_next_key(Store *s, const char *id);
int store_account_drop_next_key(Store *s, const char *id);
