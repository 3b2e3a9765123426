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

static int load_key(Renewal *r, Account *a) {
        _auto_secret_ Secret *pem = NULL;
        _auto_problem_ Problem *problem = NULL;
        int k;

        k = store_account_read_key(r->domain->manager->store, a->id, &pem);
        if (k == 0)
                k = key_from_pem(pem->data, pem->size, &r->account_key, &problem);
        if (k != 0)
                log_warning("Account %s is not used: accounts/%s/" STORE_FILE_ACCOUNT_KEY " is missing or damaged%s%s", a->id, a->id, problem ? ": " : ".",
                            problem ? problem->detail : "");
        return k;
}

static int find(Renewal *r, Account **ret) {
        _auto_strv_ char **ids = NULL;
        Account *best = NULL;
        int k;

        k = store_account_list(r->domain->manager->store, &ids);
        if (k < 0)
                return k;
        STRV_FOREACH(id, ids) {
                Account *a = NULL;

                k = store_account_read(r->domain->manager->store, *id, &a);
                if (k == STORE_ACCOUNT_E_DAMAGED)
                        log_warning("accounts/%s/" STORE_FILE_ACCOUNT " is damaged; this account is not used.", *id);
                if (k != 0)
                        continue;
                if (rank(a, r->ca_url) <= (best ? rank(best, r->ca_url) : 0)) {
                        account_free(a);
                        continue;
                }
                EVP_PKEY_free(take_ptr(r->account_key));
                if (load_key(r, a) != 0) {
                        account_free(a);
                        if (best && load_key(r, best) != 0)
                                best = account_free(best);
                        continue;
                }
                account_free(best);
                best = a;
        }
        *ret = best;
        return 0;
}

static int create(Renewal *r) {
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
                k = str_replace(&a->ca_url, r->ca_url);
        if (k == 0)
                k = str_replace(&a->status, "valid");
        if (k == 0)
                k = str_replace(&a->agreement, r->settings->agreement);
        if (k == 0 && r->settings->contacts) {
                a->contacts = strv_copy(r->settings->contacts);
                k = a->contacts ? 0 : -ENOMEM;
        }
        if (k == 0)
                k = store_account_create(r->domain->manager->store, a, pem);
        if (k != 0)
                return k < 0 ? k : -EIO;
        r->account = take_ptr(a);
        r->account_key = take_ptr(key);
        return 0;
}

int accounts_choose(Renewal *r, Problem **ret_problem) {
        int k;

        r->account = account_free(r->account);
        EVP_PKEY_free(take_ptr(r->account_key));
        k = find(r, &r->account);
        if (k == 0 && !r->account)
                k = create(r);
        if (k < 0)
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot keep an account for %s in %s/" STORE_ACCOUNTS ": %s", r->ca_url,
                                   store_path(r->domain->manager->store), strerror(-k));
        return k;
}

int accounts_created(Renewal *r, const char *url, Problem **ret_problem) {
        LogField fields[] = { { "MD_CA", r->ca_url }, { "MD_NAME", DOMAIN_NAME(r->domain) } };
        int k;

        k = str_replace(&r->account->url, url);
        if (k == 0)
                k = store_account_write(r->domain->manager->store, r->account);
        if (k != 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot write account %s: %s", r->account->id, strerror(k < 0 ? -k : EIO));
                return k < 0 ? k : -EIO;
        }
        log_full(LOG_NOTICE, 0, MESSAGE_ACCOUNT_CREATED, fields, ELEMENTSOF(fields), "Registered account %s at %s.", r->account->id, r->ca_url);
        return 0;
}

int accounts_rejected(Renewal *r, Problem **ret_problem) {
        int k;

        log_warning("%s does not accept account %s any more; a new one is registered.", r->ca_url, r->account->id);
        k = str_replace(&r->account->status, "unknown");
        if (k == 0)
                k = store_account_write(r->domain->manager->store, r->account);
        if (k != 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot write account %s: %s", r->account->id, strerror(k < 0 ? -k : EIO));
                return k < 0 ? k : -EIO;
        }
        return accounts_choose(r, ret_problem);
}
