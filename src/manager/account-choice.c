/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/account-choice.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "crypto/jws.h"
#include "crypto/key.h"
#include "manager/sign-url.h"

typedef struct Accounts {
        Account **items;
        size_t n;
} Accounts;

static void accounts_done(Accounts *list) {
        for (size_t i = 0; i < list->n; i++)
                account_free(list->items[i]);
        free(list->items);
}

/* A URL that we would not sign for is as good as none: the CA tells it again when it is asked with the key. */
static void drop_bad_url(Account *a) {
        if (a->url && !sign_url_is_valid(a->url)) {
                log_warning("Account %s has no usable URL in accounts/%s/" STORE_FILE_ACCOUNT "; the CA is asked for it.", a->id, a->id);
                free(take_ptr(a->url));
        }
}

static int read_all(Store *s, Accounts *ret) {
        _auto_strv_ char **ids = NULL;
        _cleanup_(accounts_done) Accounts list = { 0 };
        int r;

        r = store_account_list(s, &ids);
        if (r < 0)
                return r;
        list.items = calloc(strv_length(ids) + 1, sizeof(*list.items));
        if (!list.items)
                return -ENOMEM;
        STRV_FOREACH(id, ids) {
                r = store_account_read(s, *id, &list.items[list.n]);
                if (r == STORE_ACCOUNT_E_DAMAGED)
                        log_warning("accounts/%s/" STORE_FILE_ACCOUNT " is damaged; this account is not used.", *id);
                if (r < 0)
                        return r;
                if (r == 0)
                        drop_bad_url(list.items[list.n++]);
        }
        *ret = list;
        list = (Accounts){ 0 };
        return 0;
}

int account_key_load(Store *s, const char *id, bool next, EVP_PKEY **ret) {
        const char *file = next ? STORE_FILE_ACCOUNT_NEXT_KEY : STORE_FILE_ACCOUNT_KEY;
        _auto_secret_ Secret *pem = NULL;
        _auto_problem_ Problem *problem = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;
        int r;

        r = next ? store_account_read_next_key(s, id, &pem) : store_account_read_key(s, id, &pem);
        if (r == STORE_ACCOUNT_E_NOT_FOUND && next)
                return r;
        if (r == 0)
                r = key_from_pem(pem->data, pem->size, &key, &problem);
        if (r == 0 && !jws_algorithm(key)) {
                (void) problem_set(&problem, PROBLEM_TYPE_STORE, "no CA takes a signature of this kind of key");
                r = STORE_ACCOUNT_E_DAMAGED;
        }
        if (r != 0) {
                log_warning("Account %s is not used: accounts/%s/%s is missing or damaged%s%s", id, id, file, problem ? ": " : ".", problem ? problem->detail : "");
                return r;
        }
        *ret = take_ptr(key);
        return 0;
}

static bool is_rejected(const Account *a, const AccountWish *w) {
        return a->url && str_equal(a->ca_url, w->ca_url) && str_equal(a->status, "unknown") && external_account_matches(w->external, a);
}

/* How much an account is wanted: 4 used last, 3 confirmed by the CA, 2 said to be unknown there, which is doubted, 1 made but not confirmed, 0 of no use. */
static int rank(const Account *a, const AccountWish *w) {
        if (w->rejected_too && a->try_again && is_rejected(a, w))
                return 2;
        if (!str_equal(a->ca_url, w->ca_url) || !str_equal(a->status, "valid") || !external_account_matches(w->external, a))
                return 0;
        if (!a->url)
                return 1;
        return str_equal(a->id, w->preferred) ? 4 : 3;
}

int account_choice_find(Store *s, const AccountWish *w, Account **ret, EVP_PKEY **ret_key) {
        _cleanup_(accounts_done) Accounts list = { 0 };
        int r;

        r = read_all(s, &list);
        if (r < 0)
                return r;
        for (int wanted = 4; wanted > 0; wanted--)
                for (size_t i = 0; i < list.n; i++)
                        if (rank(list.items[i], w) == wanted && account_key_load(s, list.items[i]->id, false, ret_key) == 0) {
                                *ret = list.items[i];
                                list.items[i] = NULL;
                                return 0;
                        }
        return ACCOUNT_CHOICE_E_NONE;
}

int account_choice_count_rejected(Store *s, const AccountWish *w, uint64_t since_usec) {
        _cleanup_(accounts_done) Accounts list = { 0 };
        int r, n = 0;

        r = read_all(s, &list);
        if (r < 0)
                return r;
        for (size_t i = 0; i < list.n; i++)
                n += is_rejected(list.items[i], w) && list.items[i]->rejected_usec > since_usec;
        return n;
}

static int doubt(Store *s, Account *a) {
        int r;

        a->try_again = true;
        r = store_account_write(s, a);
        return r > 0 ? -EIO : r;
}

int account_choice_try_rejected(Store *s, const AccountWish *w, uint64_t since_usec, char ***ret_ids) {
        _cleanup_(accounts_done) Accounts list = { 0 };
        _auto_strv_ char **ids = NULL;
        int r;

        r = read_all(s, &list);
        for (size_t i = 0; r == 0 && i < list.n; i++)
                if (is_rejected(list.items[i], w) && !list.items[i]->try_again && list.items[i]->rejected_usec > since_usec) {
                        r = doubt(s, list.items[i]);
                        if (r == 0)
                                r = strv_extend(&ids, list.items[i]->id);
                }
        if (r == 0)
                *ret_ids = take_ptr(ids);
        return r;
}

int account_key_make(EVP_PKEY **ret, Secret **ret_pem) {
        static const KeySpec spec = { .type = KEY_TYPE_EC, .curve = "P-256" };
        _auto_pkey_ EVP_PKEY *key = NULL;
        int r;

        r = key_make(&spec, &key, NULL);
        if (r == 0)
                r = key_to_pem(key, ret_pem);
        if (r == 0)
                *ret = take_ptr(key);
        return r;
}

/* Lent once to this directory URL, and the CA did not take it. */
static bool was_refused(const Accounts *list, const Account *lender, const AccountWish *w) {
        for (size_t i = 0; i < list->n; i++)
                if (str_equal(list->items[i]->key_of, lender->id) && str_equal(list->items[i]->ca_url, w->ca_url))
                        return true;
        return false;
}

static bool may_lend(const Accounts *list, const Account *a, const AccountWish *w) {
        return a->url && str_equal(a->status, "valid") && !str_equal(a->ca_url, w->ca_url) && sign_url_is_valid(a->ca_url) &&
               sign_same_origin(w->ca_url, a->ca_url) && external_account_matches(w->external, a) && !was_refused(list, a, w);
}

static int make_key(Store *s, const AccountWish *w, char **ret_lender, EVP_PKEY **ret_key, Secret **ret_pem) {
        _cleanup_(accounts_done) Accounts list = { 0 };
        int r;

        r = sign_url_is_valid(w->ca_url) ? read_all(s, &list) : 0;
        if (r < 0)
                return r;
        for (size_t i = 0; i < list.n; i++) {
                _auto_pkey_ EVP_PKEY *key = NULL;

                if (!may_lend(&list, list.items[i], w) || account_key_load(s, list.items[i]->id, false, &key) != 0)
                        continue;
                r = str_replace(ret_lender, list.items[i]->id);
                if (r == 0)
                        r = key_to_pem(key, ret_pem);
                if (r == 0)
                        *ret_key = take_ptr(key);
                return r;
        }
        return account_key_make(ret_key, ret_pem);
}

int account_choice_make(Store *s, const AccountWish *w, Account **ret, EVP_PKEY **ret_key) {
        _cleanup_(account_freep) Account *a = calloc(1, sizeof(*a));
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_secret_ Secret *pem = NULL;
        int r;

        if (!a)
                return -ENOMEM;
        r = make_key(s, w, &a->key_of, &key, &pem);
        if (r == 0)
                r = str_replace(&a->ca_url, w->ca_url);
        if (r == 0)
                r = str_replace(&a->status, "valid");
        if (r == 0)
                r = external_account_note(w->external, a);
        if (r == 0)
                r = store_account_create(s, a, pem);
        if (r != 0)
                return r < 0 ? r : -EIO;
        *ret = take_ptr(a);
        *ret_key = take_ptr(key);
        return 0;
}
