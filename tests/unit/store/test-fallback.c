/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fallback.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "tree.h"

static const KeySpec rsa = { .type = KEY_TYPE_RSA, .bits = 2048 };
static const KeySpec ec = { .type = KEY_TYPE_EC, .curve = "P-256" };

TEST(write_and_read) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_SERVER);
        _auto_free_ char *key_path = NULL, *cert_path = NULL;
        _auto_secret_ Secret *key = secret_new("KEY", 3);

        CHECK_INT(store_fallback_write(s, "example.org", &rsa, key, "CERT"), 0);
        CHECK_INT(store_fallback_write(s, "example.org", &ec, key, "EC"), 0);
        CHECK_UINT(tree_mode(&dir, "fallback"), 0700);
        CHECK_UINT(tree_mode(&dir, "fallback/example.org"), 0700);
        CHECK_UINT(tree_mode(&dir, "fallback/example.org/fallback-privkey.pem"), 0600);
        CHECK(tree_holds(&dir, "fallback/example.org/fallback-pubcert.p-256.pem", "EC"));

        CHECK(tree_holds(&dir, "fallback/example.org/fallback-pubcert.pem", "CERT"));
        CHECK(tree_holds(&dir, "fallback/example.org/fallback-privkey.pem", "KEY"));
        CHECK_INT(store_fallback_paths(s, "example.org", &rsa, &key_path, &cert_path), 0);
        CHECK(access(key_path, R_OK) == 0);
        CHECK(access(cert_path, R_OK) == 0);
        CHECK_INT(store_fallback_paths(s, "example.org", &rsa, NULL, NULL), 0);

        tree_remove(&dir, "fallback");
        CHECK_INT(store_fallback_write(s, "example.org", &ec, key, "EC"), 0);
}

static void set_time(TmpDir *dir, const char *name, time_t t) {
        const struct timespec times[] = { { .tv_sec = t }, { .tv_sec = t } };

        CHECK(utimensat(dir->fd, name, times, 0) == 0);
}

TEST(prune) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_SERVER);
        _auto_secret_ Secret *key = secret_new("KEY", 3);

        tree_remove(&dir, "fallback");
        CHECK_INT(store_fallback_prune(s, 1000 * USEC_PER_SEC), 0);
        for (size_t i = 0; i < 3; i++)
                CHECK_INT(store_fallback_write(s, (const char *const[]){ "old.example.org", "edge.example.org", "new.example.org" }[i], &ec, key, "CERT"), 0);
        tree_put(&dir, "fallback/file", "x");
        CHECK(symlinkat("old.example.org", dir.fd, "fallback/link") == 0);
        set_time(&dir, "fallback/old.example.org", 999);
        set_time(&dir, "fallback/edge.example.org", 1000);
        set_time(&dir, "fallback/file", 1);

        CHECK_INT(store_fallback_prune(s, 1000 * USEC_PER_SEC), 0);
        CHECK(!tree_mode(&dir, "fallback/old.example.org"));
        CHECK(tree_mode(&dir, "fallback/edge.example.org"));
        CHECK(tree_mode(&dir, "fallback/new.example.org"));
        CHECK(tree_mode(&dir, "fallback/file"));

        /* What is written again is new. */
        set_time(&dir, "fallback/edge.example.org", 1);
        CHECK_INT(store_fallback_write(s, "edge.example.org", &ec, key, "CERT"), 0);
        CHECK_INT(store_fallback_prune(s, 1000 * USEC_PER_SEC), 0);
        CHECK(tree_mode(&dir, "fallback/edge.example.org"));
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

        tree_put(&dir, "elsewhere/fallback-privkey.pem", "OTHER");
        tree_put(&dir, "elsewhere/fallback-pubcert.pem", "OTHER");
        tree_put(&dir, "fallback/", NULL);
        CHECK(symlinkat("../elsewhere", dir.fd, "fallback/example.org") == 0);
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

        CHECK_INT(store_fallback_write(s, "example.org", &rsa, old, "OLD"), 0);
        CHECK(tree_when_disk_is_full(write_fails, s, 5));
        CHECK(!tree_mode(&dir, "fallback/example.org/fallback-pubcert.pem"));
        CHECK_UINT(tmp_dir_count(&dir, "fallback/example.org"), 1);
}
