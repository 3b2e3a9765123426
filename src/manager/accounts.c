/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/accounts.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "crypto/key.h"

static const KeySpec account_key_spec = { .type = KEY_TYPE_EC, .curve = "P-256" }; /* ES256: RFC 8555 section 6.2 has every CA know it */

/* How much an account is wanted: 2 confirmed by the CA, 1 made but not confirmed, 0 of no use. */
static int rank(const Account *a, const char *ca_url) {
        if (!str_equal(a->ca_url, ca_url) || !str_equal(a->status, "valid"))
                return 0;
        return a->url ? 2 : 1;
}

static int load_key(Task *t, Account *a) {
        _auto_secret_ Secret *pem = NULL;
        _auto_problem_ Problem *problem = NULL;
        int k;

        k = store_account_read_key(t->manager->store, a->id, &pem);
        if (k == 0)
                k = key_from_pem(pem->data, pem->size, &t->account_key, &problem);
        if (k != 0)
                log_warning("Account %s is not used: accounts/%s/" STORE_FILE_ACCOUNT_KEY " is missing or damaged%s%s", a->id, a->id, problem ? ": " : ".",
                            problem ? problem->detail : "");
        return k;
}

static int find(Task *t, Account **ret) {
        _auto_strv_ char **ids = NULL;
        Account *best = NULL;
        int k;

        k = store_account_list(t->manager->store, &ids);
        if (k < 0)
                return k;
        STRV_FOREACH(id, ids) {
                Account *a = NULL;

                k = store_account_read(t->manager->store, *id, &a);
                if (k == STORE_ACCOUNT_E_DAMAGED)
                        log_warning("accounts/%s/" STORE_FILE_ACCOUNT " is damaged; this account is not used.", *id);
                if (k != 0)
                        continue;
                if (rank(a, t->ca_url) <= (best ? rank(best, t->ca_url) : 0)) {
                        account_free(a);
                        continue;
                }
                EVP_PKEY_free(take_ptr(t->account_key));
                if (load_key(t, a) != 0) {
                        account_free(a);
                        if (best && load_key(t, best) != 0)
                                best = account_free(best);
                        continue;
                }
                account_free(best);
                best = a;
        }
        *ret = best;
        return 0;
}

static int create(Task *t) {
        _cleanup_(account_freep) Account *a = calloc(1, sizeof(*a));
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_secret_ Secret *pem = NULL;
        int k;

        if (!a)
                return -ENOMEM;
        k = key_make(&account_key_spec, &key, NULL); /* a curve: some 50 µs */
        if (k == 0)
                k = key_to_pem(key, &pem);
        if (k == 0)
                k = str_replace(&a->ca_url, t->ca_url);
        if (k == 0)
                k = str_replace(&a->status, "valid");
        if (k == 0)
                k = str_replace(&a->agreement, t->settings->agreement);
        if (k == 0 && t->settings->contacts) {
                a->contacts = strv_copy(t->settings->contacts);
                k = a->contacts ? 0 : -ENOMEM;
        }
        if (k == 0)
                k = store_account_create(t->manager->store, a, pem);
        if (k != 0)
                return k < 0 ? k : -EIO;
        t->account = take_ptr(a);
        t->account_key = take_ptr(key);
        return 0;
}

int accounts_choose(Task *t, Problem **ret_problem) {
        int k;

        t->account = account_free(t->account);
        EVP_PKEY_free(take_ptr(t->account_key));
        k = find(t, &t->account);
        if (k == 0 && !t->account)
                k = create(t);
        if (k < 0)
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot keep an account for %s in %s/" STORE_ACCOUNTS ": %s", t->ca_url,
                                   store_path(t->manager->store), strerror(-k));
        return k;
}

int accounts_created(Task *t, const char *url, Problem **ret_problem) {
        LogField fields[] = { { "MD_CA", t->ca_url }, { "MD_NAME", t->subject } };
        int k;

        k = str_replace(&t->account->url, url);
        if (k == 0)
                k = store_account_write(t->manager->store, t->account);
        if (k != 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot write account %s: %s", t->account->id, strerror(k < 0 ? -k : EIO));
                return k < 0 ? k : -EIO;
        }
        log_full(LOG_NOTICE, 0, MESSAGE_ACCOUNT_CREATED, fields, ELEMENTSOF(fields), "Registered account %s at %s.", t->account->id, t->ca_url);
        return 0;
}

int accounts_rejected(Task *t, Problem **ret_problem) {
        int k;

        log_warning("%s does not accept account %s any more; a new one is registered.", t->ca_url, t->account->id);
        k = str_replace(&t->account->status, "unknown");
        if (k == 0)
                k = store_account_write(t->manager->store, t->account);
        if (k != 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot write account %s: %s", t->account->id, strerror(k < 0 ? -k : EIO));
                return k < 0 ? k : -EIO;
        }
        return accounts_choose(t, ret_problem);
}
