/* SPDX-License-Identifier: Apache-2.0 */
#include "store/challenge.h"

#include "base/strv.h"
#include "tree.h"

#define THUMB "abcdefghijklmnopqrstuvwxyz0123456789-_ABCDE"
#define TOKEN_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA1"
#define TOKEN_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB2"
#define FILE_OF(name) "challenges/" name "/acme-http-01.txt"

static void check_answer(Store *s, const char *name, const char *token, const char *expected) {
        _auto_free_ char *answer = NULL;
        int r;

        r = store_challenge_read(s, name, token, &answer);
        CHECK_INT(r, expected ? 0 : STORE_CHALLENGE_E_NOT_FOUND);
        CHECK_STR(answer, expected);
}

TEST(tokens) {
        char token[300];

        CHECK(store_challenge_token_is_valid(TOKEN_A));
        CHECK(store_challenge_token_is_valid("01234567890123456789"));
        CHECK(!store_challenge_token_is_valid("0123456789012345678"));
        CHECK(!store_challenge_token_is_valid(NULL));
        CHECK(!store_challenge_token_is_valid(""));
        CHECK(!store_challenge_token_is_valid("../../../../../etc/passwd"));
        CHECK(!store_challenge_token_is_valid("0123456789.0123456789"));
        CHECK(!store_challenge_token_is_valid("0123456789\n0123456789"));
        CHECK(!store_challenge_token_is_valid("0123456789+0123456789="));
        memset(token, 'a', sizeof(token));
        token[256] = '\0';
        CHECK(store_challenge_token_is_valid(token));
        token[256] = 'a';
        token[257] = '\0';
        CHECK(!store_challenge_token_is_valid(token));
}

TEST(answers_come_and_go) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER), *child = tree_open(&dir, STORE_ROLE_CHILD);
        _auto_strv_ char **names = NULL;

        check_answer(child, "example.org", TOKEN_A, NULL);
        CHECK_INT(store_challenge_add(s, "example.org", TOKEN_A "." THUMB), 0);
        CHECK_INT(store_challenge_add(s, "*.example.org", TOKEN_B "." THUMB), 0);
        CHECK_INT(store_challenge_add(s, "example.org", TOKEN_A "." THUMB), 0);
        CHECK(tree_holds(&dir, FILE_OF("example.org"), TOKEN_B "." THUMB "\n" TOKEN_A "." THUMB "\n"));
        CHECK_UINT(tree_mode(&dir, "challenges/example.org"), 02750);
        CHECK_UINT(tree_mode(&dir, FILE_OF("example.org")), 0640);

        check_answer(child, "example.org", TOKEN_A, TOKEN_A "." THUMB);
        check_answer(child, "example.org", TOKEN_B, TOKEN_B "." THUMB);
        check_answer(child, "www.example.org", TOKEN_A, NULL);
        check_answer(child, "../challenges/example.org", TOKEN_A, NULL);
        check_answer(child, "..", TOKEN_A, NULL);
        check_answer(child, "example.org", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL);
        check_answer(child, "example.org", TOKEN_A "x", NULL);
        check_answer(child, "example.org", TOKEN_A "." THUMB, NULL);

        CHECK_INT(store_challenge_list(s, &names), 0);
        CHECK_UINT(strv_length(names), 1);

        CHECK_INT(store_challenge_remove(s, "example.org", TOKEN_A), 0);
        CHECK_INT(store_challenge_remove(s, "example.org", TOKEN_A), STORE_CHALLENGE_E_NOT_FOUND);
        check_answer(child, "example.org", TOKEN_A, NULL);
        check_answer(child, "example.org", TOKEN_B, TOKEN_B "." THUMB);
        CHECK_INT(store_challenge_remove(s, "*.example.org", TOKEN_B), 0);
        CHECK(!tmp_dir_has(&dir, "challenges/example.org"));
        CHECK_INT(store_challenge_remove(s, "example.org", TOKEN_B), STORE_CHALLENGE_E_NOT_FOUND);
}

TEST(what_is_no_key_authorization) {
        static const char *const cases[] = {
                "", TOKEN_A, TOKEN_A ".", "." THUMB, TOKEN_A "." THUMB "x", TOKEN_A "." THUMB "\n", TOKEN_A ".." THUMB, "short." THUMB,
        };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%zu", i);
                CHECK_INT(store_challenge_add(s, "example.org", cases[i]), -EINVAL);
        }
        CHECK_INT(store_challenge_add(s, "../x", TOKEN_A "." THUMB), -EINVAL);
        CHECK_INT(store_challenge_add(s, "a/b", TOKEN_A "." THUMB), -EINVAL);
        CHECK_UINT(tmp_dir_count(&dir, "challenges"), 0);
}

TEST(a_damaged_file_is_written_anew) {
        static const char *const cases[] = { "rubbish\nmore.rubbish\n", "", "\n\n\n" };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_free_ char *big = NULL;

        for (size_t i = 0; i <= ELEMENTSOF(cases); i++) {
                test_case("%zu", i);
                if (i == ELEMENTSOF(cases)) {
                        big = calloc(1, 100001);
                        REQUIRE(big);
                        memset(big, 'a', 100000);
                }
                tree_put(&dir, FILE_OF("example.org"), big ? big : cases[i]);
                check_answer(s, "example.org", TOKEN_A, NULL);
                CHECK_INT(store_challenge_add(s, "example.org", TOKEN_A "." THUMB), 0);
                CHECK(tree_holds(&dir, FILE_OF("example.org"), TOKEN_A "." THUMB "\n"));
        }

        test_case("a link");
        CHECK(unlinkat(dir.fd, FILE_OF("example.org"), 0) == 0);
        tmp_dir_write(&dir, "outside", TOKEN_B "." THUMB "\n");
        CHECK(symlinkat("../../outside", dir.fd, FILE_OF("example.org")) == 0);
        check_answer(s, "example.org", TOKEN_B, NULL);
        CHECK_INT(store_challenge_add(s, "example.org", TOKEN_A "." THUMB), 0);
        CHECK(tree_holds(&dir, "outside", TOKEN_B "." THUMB "\n"));
        check_answer(s, "example.org", TOKEN_A, TOKEN_A "." THUMB);
}

TEST(the_oldest_go_when_the_file_is_full) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        char line[200];
        struct stat st;

        for (unsigned i = 0; i < 200; i++) {
                (void) snprintf(line, sizeof(line), "token-number-%030u." THUMB, i);
                CHECK_INT(store_challenge_add(s, "example.org", line), 0);
        }
        CHECK(fstatat(dir.fd, FILE_OF("example.org"), &st, 0) == 0);
        CHECK(st.st_size <= STORE_CHALLENGE_MAX);
        CHECK(st.st_size > STORE_CHALLENGE_MAX - 200);
        check_answer(s, "example.org", "token-number-000000000000000000000000000000", NULL);
        check_answer(s, "example.org", "token-number-000000000000000000000000000199", line);
}

TEST(deleted_by_hand) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_strv_ char **names = NULL;

        tree_remove(&dir, "challenges");
        check_answer(s, "example.org", TOKEN_A, NULL);
        CHECK_INT(store_challenge_remove(s, "example.org", TOKEN_A), STORE_CHALLENGE_E_NOT_FOUND);
        CHECK_INT(store_challenge_purge(s, "example.org"), 0);
        CHECK_INT(store_challenge_list(s, &names), STORE_CHALLENGE_E_NOT_FOUND);
        CHECK_INT(store_challenge_add(s, "example.org", TOKEN_A "." THUMB), 0);
        check_answer(s, "example.org", TOKEN_A, TOKEN_A "." THUMB);
        CHECK_INT(store_challenge_purge(s, "*.example.org"), 0);
        CHECK_UINT(tmp_dir_count(&dir, "challenges"), 0);
}

static bool add_fails(Store *s) {
        return store_challenge_add(s, "example.org", TOKEN_B "." THUMB) < 0;
}

TEST(disk_full) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        CHECK_INT(store_challenge_add(s, "example.org", TOKEN_A "." THUMB), 0);
        CHECK(tree_when_disk_is_full(add_fails, s, 100));
        check_answer(s, "example.org", TOKEN_A, TOKEN_A "." THUMB);
        CHECK_UINT(tmp_dir_count(&dir, "challenges/example.org"), 1);
}

/* As on a real machine: the directory's group is one that the manager is not in, and only inheritance can give it on. */
static bool add_works(Store *s) {
        return store_challenge_add(s, "example.org", TOKEN_A "." THUMB) == 0 && store_challenge_add(s, "example.org", TOKEN_B "." THUMB) == 0 &&
               store_challenge_remove(s, "example.org", TOKEN_A) == 0;
}

TEST(the_group_is_inherited) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        struct stat st;

        if (geteuid() != 0)
                SKIP("only root can be another user");

        CHECK(fchmod(dir.fd, 0755) == 0);
        CHECK(fchownat(dir.fd, "challenges", TREE_USER, TREE_GROUP, 0) == 0);
        CHECK(fchmodat(dir.fd, "challenges", 02750, 0) == 0);
        CHECK(tree_as_user(add_works, s));
        CHECK_UINT(tree_mode(&dir, "challenges/example.org"), 02750);
        CHECK_UINT(tree_mode(&dir, FILE_OF("example.org")), 0640);
        REQUIRE(fstatat(dir.fd, FILE_OF("example.org"), &st, 0) == 0);
        CHECK_UINT(st.st_uid, TREE_USER);
        CHECK_UINT(st.st_gid, TREE_GROUP);

        test_case("the bit is lost");
        CHECK(fchmodat(dir.fd, "challenges/example.org", 0700, 0) == 0);
        CHECK(tree_as_user(add_works, s));
        CHECK_UINT(tree_mode(&dir, "challenges/example.org"), 02750);
        REQUIRE(fstatat(dir.fd, FILE_OF("example.org"), &st, 0) == 0);
        CHECK_UINT(st.st_gid, TREE_GROUP);
}

TEST(a_file_in_the_way) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        tmp_dir_write(&dir, "challenges/example.org", "");
        CHECK_INT(store_challenge_add(s, "example.org", TOKEN_A "." THUMB), 0);
        CHECK(symlinkat("example.org", dir.fd, "challenges/www.example.org") == 0);
        CHECK_INT(store_challenge_add(s, "www.example.org", TOKEN_B "." THUMB), 0);
        check_answer(s, "example.org", TOKEN_B, NULL);
        check_answer(s, "www.example.org", TOKEN_B, TOKEN_B "." THUMB);
}
