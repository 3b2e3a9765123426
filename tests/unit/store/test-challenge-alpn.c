/* SPDX-License-Identifier: Apache-2.0 */
#include "store/challenge.h"

#include "base/string-util.h"
#include "tree.h"

#define CERT_A "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define CERT_B "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"
#define CERT_FILE(name) "challenges/" name "/acme-tls-alpn-01-pubcert.pem"
#define KEY_FILE(name) "challenges/" name "/acme-tls-alpn-01-privkey.pem"
#define HTTP01 "AAAAAAAAAAAAAAAAAAAAAAAA.abcdefghijklmnopqrstuvwxyz0123456789-_ABCDE"

static const KeySpec rsa = { .type = KEY_TYPE_RSA, .bits = 2048 };
static const KeySpec p256 = { .type = KEY_TYPE_EC, .curve = "P-256" };

static void check_pair(Store *s, const char *name, const char *expected_cert, const char *expected_key) {
        _auto_free_ char *cert = NULL;
        _auto_secret_ Secret *key = NULL;
        int r;

        r = store_challenge_read_alpn(s, name, &rsa, &cert, &key);
        CHECK_INT(r, expected_cert ? 0 : STORE_CHALLENGE_E_NOT_FOUND);
        CHECK_STR(cert, expected_cert);
        CHECK_STR(key ? key->data : NULL, expected_key);
}

static int write_pair(Store *s, const char *name, const char *cert, const char *key) {
        _auto_secret_ Secret *secret = secret_new(key, strlen(key));

        return store_challenge_write_alpn(s, name, &rsa, cert, secret);
}

TEST(pairs_come_and_go) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER), *child = tree_open(&dir, STORE_ROLE_CHILD);

        check_pair(child, "example.org", NULL, NULL);
        CHECK_INT(write_pair(s, "example.org", CERT_A, "key-a\n"), 0);
        CHECK_UINT(tree_mode(&dir, "challenges/example.org"), 02750);
        CHECK_UINT(tree_mode(&dir, CERT_FILE("example.org")), 0640);
        CHECK_UINT(tree_mode(&dir, KEY_FILE("example.org")), 0640);
        check_pair(child, "example.org", CERT_A, "key-a\n");
        check_pair(child, "www.example.org", NULL, NULL);
        check_pair(child, "../challenges/example.org", NULL, NULL);

        test_case("a later one counts, and is not removed in the name of the one before");
        CHECK_INT(write_pair(s, "example.org", CERT_B, "key-b\n"), 0);
        check_pair(child, "example.org", CERT_B, "key-b\n");
        CHECK_INT(store_challenge_remove_alpn(s, "example.org", &rsa, CERT_A), STORE_CHALLENGE_E_NOT_FOUND);
        check_pair(child, "example.org", CERT_B, "key-b\n");
        CHECK_INT(store_challenge_remove_alpn(s, "example.org", &rsa, CERT_B), 0);
        CHECK(!tmp_dir_has(&dir, "challenges/example.org"));
        CHECK_INT(store_challenge_remove_alpn(s, "example.org", &rsa, CERT_B), STORE_CHALLENGE_E_NOT_FOUND);
}

TEST(one_for_each_kind_of_key) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_secret_ Secret *key = secret_new("key-b", 5), *found = NULL;
        _auto_free_ char *cert = NULL;

        CHECK_INT(write_pair(s, "example.org", CERT_A, "key-a"), 0);
        CHECK_INT(store_challenge_write_alpn(s, "example.org", &p256, CERT_B, key), 0);
        CHECK(tmp_dir_has(&dir, "challenges/example.org/acme-tls-alpn-01-pubcert.p-256.pem"));
        check_pair(s, "example.org", CERT_A, "key-a");
        CHECK_INT(store_challenge_read_alpn(s, "example.org", &p256, &cert, &found), 0);
        CHECK_STR(cert, CERT_B);
        CHECK_INT(store_challenge_remove_alpn(s, "example.org", &rsa, CERT_A), 0);
        check_pair(s, "example.org", NULL, NULL);
        CHECK_INT(store_challenge_remove_alpn(s, "example.org", &p256, CERT_B), 0);
        CHECK_UINT(tmp_dir_count(&dir, "challenges"), 0);
}

TEST(addresses) {
        static const char *const names[] = { "192.0.2.1", "2001:db8::1" };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                test_case("%s", names[i]);
                CHECK_INT(write_pair(s, names[i], CERT_A, "key"), 0);
                check_pair(s, names[i], CERT_A, "key");
                CHECK_INT(store_challenge_add(s, names[i], HTTP01), 0);
                CHECK_INT(store_challenge_purge(s, names[i]), 0);
                check_pair(s, names[i], NULL, NULL);
        }
}

TEST(beside_another_answer) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        CHECK_INT(store_challenge_add(s, "example.org", HTTP01), 0);
        CHECK_INT(write_pair(s, "example.org", CERT_A, "key"), 0);
        CHECK_INT(store_challenge_remove(s, "example.org", "AAAAAAAAAAAAAAAAAAAAAAAA"), 0);
        check_pair(s, "example.org", CERT_A, "key");
        CHECK_INT(store_challenge_add(s, "example.org", HTTP01), 0);
        CHECK_INT(store_challenge_remove_alpn(s, "example.org", &rsa, CERT_A), 0);
        CHECK_UINT(tmp_dir_count(&dir, "challenges/example.org"), 1);
}

/* A writer that dies between its steps leaves no pair that does not fit. */
TEST(half_a_pair_is_none) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        tree_put(&dir, KEY_FILE("example.org"), "key");
        check_pair(s, "example.org", NULL, NULL);
        tree_put(&dir, CERT_FILE("www.example.org"), CERT_A);
        check_pair(s, "www.example.org", NULL, NULL);
        tree_put(&dir, KEY_FILE("www.example.org"), "");
        check_pair(s, "www.example.org", NULL, NULL);
        CHECK_INT(write_pair(s, "www.example.org", CERT_B, "key-b"), 0);
        check_pair(s, "www.example.org", CERT_B, "key-b");
}

TEST(refused) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_free_ char *big = malloc(STORE_CHALLENGE_MAX + 2);

        REQUIRE(big);
        memset(big, 'a', STORE_CHALLENGE_MAX + 1);
        big[STORE_CHALLENGE_MAX + 1] = '\0';
        CHECK_INT(write_pair(s, "../x", CERT_A, "key"), -EINVAL);
        CHECK_INT(write_pair(s, "a/b", CERT_A, "key"), -EINVAL);
        CHECK_INT(write_pair(s, "example.org", big, "key"), -EINVAL);
        CHECK_UINT(tmp_dir_count(&dir, "challenges"), 0);

        test_case("a link");
        tree_put(&dir, "outside", CERT_A);
        CHECK_INT(write_pair(s, "example.org", CERT_B, "key"), 0);
        CHECK(unlinkat(dir.fd, CERT_FILE("example.org"), 0) == 0);
        CHECK(symlinkat("../../outside", dir.fd, CERT_FILE("example.org")) == 0);
        check_pair(s, "example.org", NULL, NULL);
}

/* One writes pairs that differ, another reads: what it gets fits. */
TEST(readers_see_pairs_only) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER), *child = tree_open(&dir, STORE_ROLE_CHILD);
        unsigned found = 0;
        pid_t writer;
        int status;

        writer = fork();
        REQUIRE(writer >= 0);
        if (writer == 0) {
                for (unsigned i = 0; i < 200; i++)
                        if (write_pair(s, "example.org", i % 2 ? CERT_A : CERT_B, i % 2 ? "key-a" : "key-b") != 0)
                                _exit(EXIT_FAILURE);
                _exit(EXIT_SUCCESS);
        }
        while (waitpid(writer, &status, WNOHANG) == 0) {
                _auto_free_ char *cert = NULL;
                _auto_secret_ Secret *key = NULL;

                if (store_challenge_read_alpn(child, "example.org", &rsa, &cert, &key) != 0)
                        continue;
                found++;
                CHECK_STR(key->data, str_equal(cert, CERT_A) ? "key-a" : "key-b");
        }
        CHECK_INT(status, 0);
        printf("# %u pairs were read\n", found);
        check_pair(child, "example.org", CERT_A, "key-a");
}
