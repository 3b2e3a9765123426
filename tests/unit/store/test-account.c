/* SPDX-License-Identifier: Apache-2.0 */
#include "store/account.h"

#include "tree.h"

#define _auto_account_ _cleanup_(account_freep)

static Account *make(const char *ca_url) {
        Account *a = calloc(1, sizeof(*a));

        if (!a || !(a->ca_url = strdup(ca_url)) || !(a->status = strdup("valid")) || strv_extend(&a->contacts, "mailto:admin@example.org") < 0)
                abort();
        return a;
}

static Secret *make_key(void) {
        return secret_new("KEY", 3);
}

TEST(ids) {
        static const struct {
                const char *url, *id;
        } cases[] = {
                { "https://acme-v02.api.letsencrypt.org/directory", "ACME-.letsencrypt.org-0000" },
                { "https://acme-v02.api.letsencrypt.org/directory", "ACME-.letsencrypt.org-0001" },
                { "https://ca.test:14000/dir",                      "ACME-ca.test-0000" },
                { "https://user@ca2.test/dir",                      "ACME-ca2.test-0000" },
                { "https://[2001:db8::1]:14000/dir",                "ACME--2001-db8--1-0000" },
                { "https://../../etc",                              "ACME-..-0000" },
                { "https://CA/x",                                   "ACME----0000" },
                { "https://",                                       "ACME---0000" },
                { "",                                               "ACME---0001" },
        };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_secret_ Secret *key = make_key();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_account_ Account *a = make(cases[i].url);

                test_case("%s", cases[i].url);
                CHECK_INT(store_account_create(s, a, key), 0);
                CHECK_STR(a->id, cases[i].id);
        }
        CHECK_UINT(tmp_dir_count(&dir, "accounts"), ELEMENTSOF(cases));
}

TEST(write_and_read) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_secret_ Secret *key = make_key(), *stored_key = NULL;
        _auto_account_ Account *a = make("https://ca.test/dir"), *b = NULL, *c = NULL;
        _auto_strv_ char **ids = NULL;

        CHECK_INT(store_account_create(s, a, key), 0);
        CHECK_UINT(tree_mode(&dir, "accounts/ACME-ca.test-0000"), 0700);
        CHECK_UINT(tree_mode(&dir, "accounts/ACME-ca.test-0000/account.pem"), 0600);
        CHECK_UINT(tree_mode(&dir, "accounts/ACME-ca.test-0000/account.json"), 0600);

        REQUIRE(store_account_read(s, a->id, &b) == 0);
        CHECK_STR(b->id, a->id);
        CHECK_STR(b->status, "valid");
        CHECK_STR(b->url, NULL);
        CHECK_STR(b->ca_url, "https://ca.test/dir");
        CHECK(strv_equal(b->contacts, a->contacts));

        b->url = strdup("https://ca.test/acct/1");
        b->agreement = strdup("https://ca.test/tos");
        CHECK_INT(store_account_write(s, b), 0);
        REQUIRE(store_account_read(s, a->id, &c) == 0);
        CHECK_STR(c->url, b->url);
        CHECK_STR(c->agreement, b->agreement);

        REQUIRE(store_account_read_key(s, a->id, &stored_key) == 0);
        CHECK_UINT(stored_key->size, 3);
        CHECK_MEM(stored_key->data, "KEY", 3);
        CHECK_INT(store_account_list(s, &ids), 0);
        CHECK_UINT(strv_length(ids), 1);
}

TEST(damaged_and_missing) {
        static const struct {
                const char *text;
                int r;
        } cases[] = {
                { "{\"ca-url\": \"x\"}",                        0 },
                { "{\"ca-url\": \"x\", \"contact\": [1]}",      STORE_ACCOUNT_E_DAMAGED },
                { "{\"ca-url\": 1}",                            STORE_ACCOUNT_E_DAMAGED },
                { "{\"status\": \"valid\"}",                    STORE_ACCOUNT_E_DAMAGED },
                { "[]",                                         STORE_ACCOUNT_E_DAMAGED },
                { "{\"ca-url\": \"x",                           STORE_ACCOUNT_E_DAMAGED },
                { "",                                           STORE_ACCOUNT_E_DAMAGED },
        };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_secret_ Secret *key = NULL;
        Account *a = NULL;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].text);
                tree_put(&dir, "accounts/X/account.json", cases[i].text);
                CHECK_INT(store_account_read(s, "X", &a), cases[i].r);
                if (cases[i].r == 0)
                        CHECK_STR(a->status, "unknown");
                a = account_free(a);
        }

        CHECK_INT(store_account_read_key(s, "X", &key), STORE_ACCOUNT_E_NOT_FOUND);
        tree_put(&dir, "accounts/X/account.pem", "");
        CHECK_INT(store_account_read_key(s, "X", &key), STORE_ACCOUNT_E_DAMAGED);
        CHECK_INT(store_account_read(s, "Y", &a), STORE_ACCOUNT_E_NOT_FOUND);
        CHECK_INT(store_account_read(s, "../accounts/X", &a), STORE_ACCOUNT_E_NOT_FOUND);
        CHECK_INT(store_account_read(s, "..", &a), STORE_ACCOUNT_E_NOT_FOUND);
        tree_remove(&dir, "accounts");
        CHECK_INT(store_account_read(s, "X", &a), STORE_ACCOUNT_E_NOT_FOUND);
        CHECK(!a && !key);
}

static bool create_fails(Store *s) {
        _auto_account_ Account *a = make("https://ca.test/dir");
        _auto_secret_ Secret *key = make_key();

        return store_account_create(s, a, key) < 0 && !a->id;
}

TEST(disk_full) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        CHECK(tree_when_disk_is_full(create_fails, s, 2));
        CHECK_UINT(tmp_dir_count(&dir, "accounts"), 0);
        CHECK(tree_when_disk_is_full(create_fails, s, 20));
        CHECK_UINT(tmp_dir_count(&dir, "accounts"), 0);
}

TEST(a_crash_leaves_no_half_account) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_account_ Account *a = make("https://ca.test/dir");
        _auto_secret_ Secret *key = make_key();
        _auto_strv_ char **ids = NULL;

        tree_put(&dir, "accounts/.new/account.pem", "from a crash");
        CHECK_INT(store_account_list(s, &ids), 0);
        CHECK_UINT(strv_length(ids), 0);
        CHECK_INT(store_account_create(s, a, key), 0);
        CHECK(tree_holds(&dir, "accounts/ACME-ca.test-0000/account.pem", "KEY"));
        CHECK_UINT(tmp_dir_count(&dir, "accounts"), 1);
}

TEST(everything_is_kept) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_account_ Account *a = make("https://ca.test/dir"), *b = NULL;
        _auto_secret_ Secret *key = make_key();
        _auto_free_ char *text = NULL;

        a->terms = strdup("https://ca.test/tos-2");
        a->orders = strdup("https://ca.test/orders");
        a->eab_kid = strdup("kid-1");
        a->eab_sha256 = strdup("abcdef");
        a->eab_hmac = strdup("SECRET");
        a->key_of = strdup("ACME-ca.test-0007");
        REQUIRE(store_account_create(s, a, key) == 0);
        REQUIRE(store_account_read(s, a->id, &b) == 0);
        CHECK_STR(b->terms, a->terms);
        CHECK_STR(b->orders, a->orders);
        CHECK_STR(b->eab_kid, "kid-1");
        CHECK_STR(b->eab_sha256, "abcdef");
        CHECK_STR(b->eab_hmac, NULL); /* the hash says enough */
        CHECK_STR(b->key_of, a->key_of);
        text = tmp_dir_read(&dir, "accounts/ACME-ca.test-0000/account.json");
        REQUIRE(text);
        CHECK(!strstr(text, "SECRET"));
}

/* Accounts as mod_md made them, in its old forms and the one of today. */
TEST(accounts_of_mod_md) {
        static const struct {
                const char *text, *status, *contact, *agreement, *kid, *hmac;
        } cases[] = {
                { "{\"status\": \"valid\", \"ca-url\": \"x\", \"url\": \"u\", \"contact\": [\"mailto:a@b\"], \"agreement\": \"t\", \"orders\": \"o\","
                  " \"registration\": {\"contact\": [\"mailto:old@b\"]}, \"eab\": {\"kid\": \"k\", \"hmac\": \"h\"}}",
                  "valid", "mailto:a@b", "t", "k", "h" },
                { "{\"ca-url\": \"x\", \"url\": \"u\", \"disabled\": false, \"registration\": {\"contact\": [\"mailto:a@b\"]}, \"terms-of-service\": \"t\"}",
                  "valid", "mailto:a@b", "t", NULL, NULL },
                { "{\"ca-url\": \"x\", \"disabled\": true}", "deactivated", NULL, NULL, NULL, NULL },
                { "{\"ca-url\": \"x\", \"disabled\": \"maybe\"}", "deactivated", NULL, NULL, NULL, NULL },
                { "{\"ca-url\": \"x\", \"status\": \"revoked\", \"registration\": [], \"eab\": 7}", "revoked", NULL, NULL, NULL, NULL },
        };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_account_ Account *a = NULL, *b = NULL;

                test_case("%s", cases[i].text);
                tree_put(&dir, "accounts/X/account.json", cases[i].text);
                REQUIRE(store_account_read(s, "X", &a) == 0);
                for (size_t k = 0; k < 2; k++) { /* as found, and as written again */
                        CHECK_STR(a->status, cases[i].status);
                        CHECK_STR(a->contacts ? a->contacts[0] : NULL, cases[i].contact);
                        CHECK_STR(a->agreement, cases[i].agreement);
                        CHECK_STR(a->eab_kid, cases[i].kid);
                        CHECK_STR(a->eab_hmac, cases[i].hmac);
                        if (k > 0)
                                break;
                        REQUIRE(store_account_write(s, a) == 0);
                        REQUIRE(store_account_read(s, "X", &b) == 0);
                        account_free(a);
                        a = take_ptr(b);
                }
        }
}

TEST(next_key) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_account_ Account *a = make("https://ca.test/dir");
        _auto_secret_ Secret *key = make_key(), *next = secret_new("NEXT", 4), *none = NULL, *read = NULL;

        REQUIRE(store_account_create(s, a, key) == 0);
        CHECK_INT(store_account_read_next_key(s, a->id, &none), STORE_ACCOUNT_E_NOT_FOUND);
        CHECK_INT(store_account_take_next_key(s, a->id), STORE_ACCOUNT_E_NOT_FOUND);
        CHECK_INT(store_account_drop_next_key(s, a->id), STORE_ACCOUNT_E_NOT_FOUND);
        CHECK_INT(store_account_write_next_key(s, "elsewhere", next), STORE_ACCOUNT_E_NOT_FOUND);
        CHECK_INT(store_account_write_next_key(s, "..", next), STORE_ACCOUNT_E_NOT_FOUND);
        CHECK(tree_holds(&dir, "accounts/ACME-ca.test-0000/account.pem", "KEY"));

        CHECK_INT(store_account_write_next_key(s, a->id, next), 0);
        CHECK_UINT(tree_mode(&dir, "accounts/ACME-ca.test-0000/account.next.pem"), 0600);
        CHECK(tree_holds(&dir, "accounts/ACME-ca.test-0000/account.pem", "KEY"));
        REQUIRE(store_account_read_next_key(s, a->id, &read) == 0);
        CHECK_MEM(read->data, "NEXT", 4);
        CHECK_INT(store_account_drop_next_key(s, a->id), 0);
        CHECK_INT(store_account_take_next_key(s, a->id), STORE_ACCOUNT_E_NOT_FOUND);

        CHECK_INT(store_account_write_next_key(s, a->id, next), 0);
        CHECK_INT(store_account_take_next_key(s, a->id), 0);
        CHECK(tree_holds(&dir, "accounts/ACME-ca.test-0000/account.pem", "NEXT"));
        CHECK_UINT(tmp_dir_count(&dir, "accounts/ACME-ca.test-0000"), 2);
        CHECK(!none);
}

static bool next_key_fails(Store *s) {
        _auto_secret_ Secret *next = secret_new("NEXT", 4);

        return store_account_write_next_key(s, "X", next) < 0;
}

TEST(next_key_and_a_full_disk) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        tree_put(&dir, "accounts/X/account.pem", "KEY");
        CHECK(tree_when_disk_is_full(next_key_fails, s, 2));
        CHECK_UINT(tmp_dir_count(&dir, "accounts/X"), 1);
}
