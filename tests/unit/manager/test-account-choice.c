/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/account-choice.h"

#include <errno.h>

#include "base/clock.h"
#include "base/string-util.h"
#include "crypto/key.h"
#include "../store/tree.h"

#define _auto_account_ _cleanup_(account_freep)

static const ExternalAccount none = { 0 }, bound = { .kid = (char *) "k", .sha256 = (char *) "h" };

typedef struct Row {
        const char *status, *url, *ca_url, *kid;
        bool keyless;
        const char *key_of;
        uint64_t rejected_usec;
} Row;

static void put(TmpDir *dir, Store *s, char id, const Row *row) {
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_secret_ Secret *pem = NULL;
        char path[64], name[] = { id, 0 };
        Account a = { .id = name, .status = (char *) row->status, .url = (char *) row->url, .ca_url = (char *) row->ca_url, .eab_kid = (char *) row->kid,
                      .eab_sha256 = (char *) (row->kid ? "h" : NULL), .key_of = (char *) row->key_of,
                      .rejected_usec = row->rejected_usec };

        if (account_key_make(&key, &pem) < 0)
                abort();
        (void) snprintf(path, sizeof(path), "accounts/%c/account.pem", id);
        tree_put(dir, path, row->keyless ? "no key" : pem->data);
        if (store_account_write(s, &a) != 0)
                abort();
}

#define CA "https://ca.test:14000/dir"

/* Accounts are called a, b, c, … */
static const struct {
        const char *what;
        Row rows[4];
        const char *preferred;
        const ExternalAccount *external;
        const char *found; /* NULL: none */
} cases[] = {
        { "none at all", { { 0 } }, NULL, &none, NULL },
        { "any that is valid", { { "valid", CA "/1", CA, NULL, false, NULL } }, NULL, &none, "a" },
        { "the one used last", { { "valid", CA "/1", CA, NULL, false, NULL }, { "valid", CA "/2", CA, NULL, false, NULL } }, "b", &none, "b" },
        { "the one used last has no key", { { "valid", CA "/1", CA, NULL, false, NULL }, { "valid", CA "/2", CA, NULL, true, NULL } }, "b", &none, "a" },
        { "the one used last is deactivated", { { "valid", CA "/1", CA, NULL, false, NULL }, { "deactivated", CA "/2", CA, NULL, false, NULL } }, "b", &none, "a" },
        { "the one used last is at another CA", { { "valid", CA "/1", CA, NULL, false, NULL }, { "valid", CA "/2", CA "2", NULL, false, NULL } }, "b", &none, "a" },
        { "confirmed before unconfirmed", { { "valid", NULL, CA, NULL, false, NULL }, { "valid", CA "/2", CA, NULL, false, NULL } }, "a", &none, "b" },
        { "unconfirmed before none", { { "unknown", CA "/1", CA, NULL, false, NULL }, { "valid", NULL, CA, NULL, false, NULL } }, NULL, &none, "b" },
        { "a URL that is none", { { "valid", "http://ca.test/1", CA, NULL, false, NULL } }, NULL, &none, "a" },
        { "revoked", { { "revoked", CA "/1", CA, NULL, false, NULL } }, NULL, &none, NULL },
        { "bound, and the domain is not", { { "valid", CA "/1", CA, "k", false, NULL } }, "a", &none, NULL },
        { "not bound, and the domain is", { { "valid", CA "/1", CA, NULL, false, NULL } }, "a", &bound, NULL },
        { "both bound", { { "valid", CA "/1", CA, NULL, false, NULL }, { "valid", CA "/2", CA, "k", false, NULL } }, "a", &bound, "b" },
        { "bound otherwise", { { "valid", CA "/1", CA, "other", false, NULL } }, NULL, &bound, NULL },
};

TEST(find) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
                const AccountWish wish = { .ca_url = CA, .preferred = cases[i].preferred, .external = cases[i].external };
                _auto_account_ Account *a = NULL;
                _auto_pkey_ EVP_PKEY *key = NULL;

                test_case("%s", cases[i].what);
                for (size_t k = 0; k < 4 && cases[i].rows[k].status; k++)
                        put(&dir, s, (char) ('a' + k), &cases[i].rows[k]);
                CHECK_INT(account_choice_find(s, &wish, &a, &key), cases[i].found ? 0 : ACCOUNT_CHOICE_E_NONE);
                CHECK_STR(a ? a->id : NULL, cases[i].found);
                CHECK(!key == !cases[i].found);
                CHECK(!a || !a->url || str_has_prefix(a->url, "https://"));
        }
}

TEST(rejected_and_back_again) {
        static const uint64_t day = 2000000000 * USEC_PER_SEC;
        static const Row rows[] = {
                { "unknown", CA "/1", CA, "k", false, NULL, 2000000060 * USEC_PER_SEC }, /* a */
                { "unknown", CA "/2", CA, "k", false, NULL, 1999999999 * USEC_PER_SEC }, /* b: earlier */
                { "unknown", CA "/3", CA, NULL, false, NULL, 2000000060 * USEC_PER_SEC }, /* c: bound otherwise */
                { "unknown", CA "/4", CA "2", "k", false, NULL, 2000000060 * USEC_PER_SEC }, /* d: elsewhere */
                { "unknown", NULL, CA, "k", false, NULL, 0 },                          /* e: no CA has had it */
                { "deactivated", CA "/6", CA, "k", false, NULL, 0 },                   /* f: for good */
                { "valid", NULL, CA, "k", false, NULL, 0 },                            /* g: in the place of a, and not confirmed */
        };
        static const char *const revived[] = { "a" }, *const others[] = { "b", "c", "d", "e" };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        const AccountWish wish = { .ca_url = CA, .preferred = "g", .external = &bound }, wish_again = { .ca_url = CA, .preferred = "g", .external = &bound, .rejected_too = true };
        _auto_account_ Account *before = NULL, *after = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL, *other_key = NULL;
        _auto_strv_ char **ids = NULL, **none_left = NULL;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                put(&dir, s, (char) ('a' + i), &rows[i]);
        CHECK_INT(account_choice_count_rejected(s, &wish, day), 1);
        CHECK_INT(account_choice_count_rejected(s, &wish, 0), 2);
        REQUIRE(account_choice_find(s, &wish, &before, &key) == 0);
        CHECK_STR(before->id, "g");
        REQUIRE(account_choice_try_rejected(s, &wish, day, &ids) == 0);
        CHECK_UINT(strv_length(ids), 1);
        for (size_t i = 0; i < ELEMENTSOF(revived); i++) {
                _auto_account_ Account *a = NULL;

                CHECK(strv_contains(ids, revived[i]));
                REQUIRE(store_account_read(s, revived[i], &a) == 0);
                CHECK_STR(a->status, "unknown");
                CHECK(a->try_again);
                CHECK_UINT(a->rejected_usec, rows[i].rejected_usec);
        }
        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                _auto_account_ Account *a = NULL;

                REQUIRE(store_account_read(s, others[i], &a) == 0);
                CHECK_STR(a->status, "unknown");
                CHECK(!a->try_again);
                CHECK_UINT(a->rejected_usec, rows[others[i][0] - 'a'].rejected_usec);
        }
        REQUIRE(account_choice_find(s, &wish_again, &after, &other_key) == 0);
        CHECK_STR(after->id, "a");
        after = account_free(after);
        EVP_PKEY_free(take_ptr(other_key));
        REQUIRE(account_choice_find(s, &wish, &after, &other_key) == 0);
        CHECK_STR(after->id, "g"); /* who registers one by hand wants another */
        CHECK_INT(account_choice_count_rejected(s, &wish, day), 1);
        CHECK_INT(account_choice_try_rejected(s, &wish, day, &none_left), 0);
        CHECK(!none_left);
}

TEST(make_and_find_again) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        const AccountWish wish = { .ca_url = CA, .external = &bound };
        _auto_account_ Account *a = NULL, *b = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL, *again = NULL;

        tree_put(&dir, "accounts/x", NULL);
        REQUIRE(account_choice_make(s, &wish, &a, &key) == 0);
        CHECK_STR(a->id, "ACME-ca.test-0000");
        CHECK_STR(a->eab_kid, "k");
        CHECK_STR(a->key_of, NULL);
        CHECK(!a->url);
        REQUIRE(account_choice_find(s, &wish, &b, &again) == 0);
        CHECK_STR(b->id, a->id);
        CHECK(EVP_PKEY_eq(key, again) == 1);
}

/* One host is one account, also where it has several directories. */
TEST(lending) {
        static const struct {
                const char *what;
                Row rows[2];
                const ExternalAccount *external;
                const char *lender; /* NULL: a key of its own */
        } lenders[] = {
                { "another directory of the host", { { "valid", CA "/1", "https://ca.test:14000/dir2", NULL, false, NULL } }, &none, "a" },
                { "another port", { { "valid", CA "/1", "https://ca.test/dir", NULL, false, NULL } }, &none, NULL },
                { "another host", { { "valid", CA "/1", "https://ca.test.example:14000/dir", NULL, false, NULL } }, &none, NULL },
                { "no URL", { { "valid", CA "/1", "ca.test:14000/dir", NULL, false, NULL } }, &none, NULL },
                { "not confirmed", { { "valid", NULL, CA "2", NULL, false, NULL } }, &none, NULL },
                { "of no use", { { "unknown", CA "/1", CA "2", NULL, false, NULL } }, &none, NULL },
                { "bound otherwise", { { "valid", CA "/1", CA "2", "other", false, NULL } }, &bound, NULL },
                { "bound alike", { { "valid", CA "/1", CA "2", "k", false, NULL } }, &bound, "a" },
                { "damaged", { { "valid", CA "/1", CA "2", NULL, true, NULL } }, &none, NULL },
                { "refused before", { { "valid", CA "/1", CA "2", NULL, false, NULL }, { "unknown", NULL, CA, NULL, false, "a" } }, &none, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(lenders); i++) {
                _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
                const AccountWish wish = { .ca_url = CA, .external = lenders[i].external };
                _auto_account_ Account *a = NULL;
                _auto_pkey_ EVP_PKEY *key = NULL, *lent = NULL;

                test_case("%s", lenders[i].what);
                for (size_t k = 0; k < 2 && lenders[i].rows[k].status; k++)
                        put(&dir, s, (char) ('a' + k), &lenders[i].rows[k]);
                REQUIRE(account_choice_make(s, &wish, &a, &key) == 0);
                CHECK_STR(a->key_of, lenders[i].lender);
                if (lenders[i].rows[0].keyless)
                        continue;
                REQUIRE(account_key_load(s, "a", false, &lent) == 0);
                CHECK((EVP_PKEY_eq(key, lent) == 1) == !!lenders[i].lender);
        }
}

TEST(keys_that_are_of_no_use) {
        static const KeySpec spec = { .type = KEY_TYPE_EC, .curve = "Ed25519" };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_secret_ Secret *pem = NULL;
        EVP_PKEY *loaded = NULL;

        REQUIRE(key_make(&spec, &key, NULL) == 0 && key_to_pem(key, &pem) == 0);
        tree_put(&dir, "accounts/a/account.pem", pem->data);
        tree_put(&dir, "accounts/a/account.next.pem", "x");
        CHECK(account_key_load(s, "a", false, &loaded) != 0);
        CHECK(account_key_load(s, "a", true, &loaded) != 0);
        CHECK_INT(account_key_load(s, "b", true, &loaded), STORE_ACCOUNT_E_NOT_FOUND);
        CHECK(!loaded);
}
