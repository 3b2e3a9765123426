/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which account serves a domain at a CA. It has this very directory URL and the domain's external account, or none as the domain has none;
 * wanted most is the one that was used last, then any that the CA confirmed, then one that it is said not to know where that is doubted, then one whose key is
 * made and that the CA has not confirmed.
 *
 * A new one takes the key of an account that serves at another directory URL of the same host, where there is one: the CA then finds the account
 * that we have instead of making another, which counts where limits go by account, and where external accounts can be used only once. */

#include "crypto/openssl-util.h"
#include "manager/external-account.h"
#include "store/account.h"

typedef struct AccountWish {
        const char *ca_url;
        const char *preferred;               /* the id of the one used last; NULL: none */
        const ExternalAccount *external;
        bool rejected_too; /* those to be tried again */
} AccountWish;

enum {
        ACCOUNT_CHOICE_DONE,
        ACCOUNT_CHOICE_E_NONE,
};

/* What is damaged is told to the log and passed over. *ret_key is its key. */
int account_choice_find(Store *s, const AccountWish *w, Account **ret, EVP_PKEY **ret_key);
/* Makes one with status "valid" and without URL; it has its key on disk when this returns. */
int account_choice_make(Store *s, const AccountWish *w, Account **ret, EVP_PKEY **ret_key);

/* How many of those that would serve were given up since then: the CA was said not to know them. Negative errno. */
int account_choice_count_rejected(Store *s, const AccountWish *w, uint64_t since_usec);
/* They are to be tried again, before one that is not confirmed: who said so may have been wrong. Those that were given up earlier have had a successor, and would
 * cost an attempt each. *ret_ids: which they were, NULL: there are none. */
int account_choice_try_rejected(Store *s, const AccountWish *w, uint64_t since_usec, char ***ret_ids);

/* A key for accounts: ES256, which every CA knows (RFC 8555 section 6.2). Some 50 µs. */
int account_key_make(EVP_PKEY **ret, Secret **ret_pem);
/* The key in a file of an account; next: the one that is to take its place. Negative, or outcomes of store/account.h; a damaged one is told to the log. */
int account_key_load(Store *s, const char *id, bool next, EVP_PKEY **ret);
