/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fallback.h"

#include "tree.h"

static const KeySpec rsa = { .type = KEY_TYPE_RSA, .bits = 2048 };
static const KeySpec ec = { .type = KEY_TYPE_EC, .curve = "P-256" };

TEST(write_and_read) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_SERVER);
        _auto_free_ char *pem = NULL, *other = NULL, *key_path = NULL, *cert_path = NULL;
        _auto_secret_ Secret *key = secret_new("KEY", 3);

        CHECK_INT(store_fallback_read_chain(s, "example.org", &rsa, &pem), STORE_FALLBACK_E_NOT_FOUND);
        CHECK_INT(store_fallback_write(s, "example.org", &rsa, key, "CERT"), 0);
        CHECK_INT(store_fallback_write(s, "example.org", &ec, key, "EC"), 0);
        CHECK_UINT(tree_mode(&dir, "fallback"), 0700);
        CHECK_UINT(tree_mode(&dir, "fallback/example.org"), 0700);
        CHECK_UINT(tree_mode(&dir, "fallback/example.org/fallback-privkey.pem"), 0600);
        CHECK(tree_holds(&dir, "fallback/example.org/fallback-pubcert.p-256.pem", "EC"));

        CHECK_INT(store_fallback_read_chain(s, "example.org", &rsa, &pem), 0);
        CHECK_STR(pem, "CERT");
        CHECK_INT(store_fallback_paths(s, "example.org", &rsa, &key_path, &cert_path), 0);
        CHECK(access(key_path, R_OK) == 0);
        CHECK(access(cert_path, R_OK) == 0);
        CHECK_INT(store_fallback_paths(s, "example.org", &rsa, NULL, NULL), 0);

        tree_remove(&dir, "fallback/example.org/fallback-privkey.pem");
        CHECK_INT(store_fallback_read_chain(s, "example.org", &rsa, &other), STORE_FALLBACK_E_NOT_FOUND);
        tree_remove(&dir, "fallback");
        CHECK_INT(store_fallback_read_chain(s, "example.org", &ec, &other), STORE_FALLBACK_E_NOT_FOUND);
        CHECK_INT(store_fallback_write(s, "example.org", &ec, key, "EC"), 0);
}

TEST(hostile_names) {
        static const char *const names[] = { "..", ".", "", "a/b", "../domains/x" };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_SERVER);
        _auto_secret_ Secret *key = secret_new("KEY", 3);
        char *path = NULL;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                test_case("%s", names[i]);
                CHECK_INT(store_fallback_write(s, names[i], &rsa, key, "CERT"), -EINVAL);
                CHECK_INT(store_fallback_paths(s, names[i], &rsa, &path, NULL), -EINVAL);
                CHECK_INT(store_live_paths(s, names[i], &rsa, &path, NULL), -EINVAL);
                CHECK_INT(store_reserve_paths(s, names[i], &rsa, &path, NULL), -EINVAL);
                CHECK_INT(store_fallback_read_chain(s, names[i], &rsa, &path), STORE_FALLBACK_E_NOT_FOUND);
        }
        CHECK(!path);
}

TEST(live_paths) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_SERVER);
        _auto_free_ char *key = NULL, *cert = NULL;
        char expected[PATH_MAX + 100];

        CHECK_INT(store_live_paths(s, "example.org", &ec, &key, &cert), 0);
        (void) snprintf(expected, sizeof(expected), "%s/domains/example.org/privkey.p-256.pem", dir.path);
        CHECK_STR(key, expected);
        (void) snprintf(expected, sizeof(expected), "%s/domains/example.org/pubcert.p-256.pem", dir.path);
        CHECK_STR(cert, expected);
}

TEST(reserve_paths) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_SERVER);
        _auto_free_ char *key = NULL, *cert = NULL;
        char expected[PATH_MAX + 100];

        CHECK_INT(store_reserve_paths(s, "example.org", &ec, &key, &cert), 0);
        (void) snprintf(expected, sizeof(expected), "%s/reserve/example.org/privkey.p-256.pem", dir.path);
        CHECK_STR(key, expected);
        (void) snprintf(expected, sizeof(expected), "%s/reserve/example.org/pubcert.p-256.pem", dir.path);
        CHECK_STR(cert, expected);
}

TEST(links_are_not_followed) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_SERVER);
        _auto_secret_ Secret *key = secret_new("KEY", 3);
        char *pem = NULL;

        tree_put(&dir, "elsewhere/fallback-privkey.pem", "OTHER");
        tree_put(&dir, "elsewhere/fallback-pubcert.pem", "OTHER");
        tree_put(&dir, "fallback/", NULL);
        CHECK(symlinkat("../elsewhere", dir.fd, "fallback/example.org") == 0);
        CHECK_INT(store_fallback_read_chain(s, "example.org", &rsa, &pem), STORE_FALLBACK_E_NOT_FOUND);
        CHECK(store_fallback_write(s, "example.org", &rsa, key, "CERT") != 0);
        CHECK(tree_holds(&dir, "elsewhere/fallback-privkey.pem", "OTHER"));
}

static bool write_fails(Store *s) {
        _auto_secret_ Secret *key = secret_new("KEY", 3);

        return store_fallback_write(s, "example.org", &rsa, key, "A LONG CERTIFICATE") < 0;
}

TEST(a_half_pair_counts_as_none) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_SERVER);
        _auto_secret_ Secret *old = secret_new("OLD", 3);
        char *pem = NULL;

        CHECK_INT(store_fallback_write(s, "example.org", &rsa, old, "OLD"), 0);
        CHECK(tree_when_disk_is_full(write_fails, s, 5));
        CHECK_INT(store_fallback_read_chain(s, "example.org", &rsa, &pem), STORE_FALLBACK_E_NOT_FOUND);
        CHECK_UINT(tmp_dir_count(&dir, "fallback/example.org"), 1);
}
