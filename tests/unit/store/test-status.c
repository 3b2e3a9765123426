/* SPDX-License-Identifier: Apache-2.0 */
#include "store/status.h"

#include "tree.h"

#define TEXT "{\"name\":\"example.org\"}"

static void check_text(Store *s, const char *name, const char *expected) {
        _auto_free_ char *text = NULL;
        _auto_close_ int fd = -1;
        size_t size = 0;

        CHECK_INT(store_status_open(s, &fd), 0);
        CHECK_INT(store_status_read_at(fd, name, &text, &size), expected ? 0 : STORE_STATUS_E_NOT_FOUND);
        CHECK_STR(text, expected);
        CHECK_UINT(size, expected ? strlen(expected) : 0);
}

TEST(comes_and_goes) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER), *child = tree_open(&dir, STORE_ROLE_CHILD);

        check_text(child, "example.org", NULL);
        CHECK_INT(store_status_write(s, "example.org", TEXT), 0);
        CHECK_INT(store_status_write(s, "example.org", TEXT), STORE_STATUS_UNCHANGED);
        CHECK_INT(store_status_write(s, NULL, "{}"), 0);
        CHECK_UINT(tree_mode(&dir, "status/example.org.json"), 0640);
        CHECK(tree_holds(&dir, "status/.manager.json", "{}"));
        check_text(child, "example.org", TEXT);
        check_text(child, NULL, "{}");
        check_text(child, "../status/example.org", NULL);

        CHECK_INT(store_status_write(s, "example.org", "{}"), 0);
        check_text(child, "example.org", "{}");
        CHECK_INT(store_status_remove(s, "example.org"), 0);
        CHECK_INT(store_status_remove(s, "example.org"), 0);
        check_text(child, "example.org", NULL);
        CHECK_INT(store_status_write(s, ".hidden", TEXT), -EINVAL);
        CHECK_INT(store_status_write(s, "a/b", TEXT), -EINVAL);
        CHECK_INT(store_status_remove(s, ".."), -EINVAL);
}

TEST(only_whole_objects_are_believed) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        static const char *const torn[] = { "", "{", "{\"a\":", "[]", "{}{}", "\"text\"" };

        for (size_t i = 0; i < ELEMENTSOF(torn); i++) {
                test_case("%s", torn[i]);
                tree_put(&dir, "status/example.org.json", torn[i]);
                check_text(s, "example.org", NULL);
        }
        /* What was torn is written again, although nothing changed. */
        CHECK_INT(store_status_write(s, "example.org", TEXT), 0);
        check_text(s, "example.org", TEXT);
        tree_remove(&dir, "status/example.org.json");
        tree_put(&dir, "status/example.org.json/x", NULL);
        check_text(s, "example.org", NULL);
        CHECK_INT(store_status_remove(s, "example.org"), 0);
}

TEST(long_names) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        for (size_t n = 236; n <= 253; n++) {
                char name[254];

                memset(name, 'a', n);
                name[n] = '\0';
                test_case("%zu", n);
                CHECK_INT(store_status_write(s, name, TEXT), 0);
                check_text(s, name, TEXT);
                CHECK_INT(store_status_remove(s, name), 0);
                check_text(s, name, NULL);
        }
}

TEST(prune) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        char name[254], other[253];
        char *names[] = { (char *) "example.org", name, (char *) "/", (char *) "example.org", (char *) "new.example.org", NULL };

        memset(name, 'a', 253);
        name[253] = '\0';
        memset(other, 'b', 252);
        other[252] = '\0';
        CHECK_INT(store_status_write(s, "example.org", TEXT), 0);
        CHECK_INT(store_status_write(s, "example.net", TEXT), 0);
        CHECK_INT(store_status_write(s, name, TEXT), 0);
        CHECK_INT(store_status_write(s, other, TEXT), 0);
        CHECK_INT(store_status_write(s, NULL, "{}"), 0);
        tree_put(&dir, "status/somebody's", "own");
        CHECK_INT(store_status_prune(s, names), 0);
        check_text(s, "example.org", TEXT);
        check_text(s, "example.net", NULL);
        check_text(s, name, TEXT);
        check_text(s, other, NULL);
        check_text(s, NULL, "{}");
        CHECK(tree_holds(&dir, "status/somebody's", "own"));
}
