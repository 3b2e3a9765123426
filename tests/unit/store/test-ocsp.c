/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ocsp.h"

#include "base/clock.h"
#include "tree.h"

#define ID "0123456789abcdef0123456789abcdef01234567"
#define OTHER "89abcdef0123456789abcdef0123456789abcdef"
#define NOW (1800000000 * USEC_PER_SEC)

static StoreStaple example(const char *der) {
        return (StoreStaple){ .der = (void *) der, .size = strlen(der), .from_usec = NOW, .until_usec = NOW + USEC_PER_DAY, .next_usec = NOW + USEC_PER_HOUR };
}

TEST(there_and_back) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_problem_ Problem *problem = problem_new(PROBLEM_TYPE_OCSP, "not now");
        StoreStaple staple = example("der\n\001bytes"), found = { 0 };
        StoreOcspMark mark = { 0 };

        staple.revoked = true;
        staple.revoked_told = true;
        staple.came_usec = NOW + USEC_PER_MINUTE;
        staple.errors = 3;
        staple.last = problem;
        REQUIRE(store_ocsp_write(s, "example.org", ID, &staple) == 0);
        REQUIRE(store_ocsp_read(s, "example.org", ID, &found) == 0);
        CHECK_UINT(found.size, staple.size);
        CHECK_MEM(found.der, staple.der, staple.size);
        CHECK(found.revoked && found.revoked_told);
        CHECK_UINT(found.came_usec, staple.came_usec);
        CHECK_UINT(found.from_usec, staple.from_usec);
        CHECK_UINT(found.until_usec, staple.until_usec);
        CHECK_UINT(found.next_usec, staple.next_usec);
        CHECK_UINT(found.errors, 3);
        CHECK_STR(found.last ? found.last->detail : NULL, "not now");
        store_staple_done(&found);

        REQUIRE(store_ocsp_read_staple(s, "example.org", ID, &mark, &found) == 0);
        CHECK_UINT(found.size, staple.size);
        CHECK_MEM(found.der, staple.der, staple.size);
        CHECK_UINT(found.until_usec, staple.until_usec);
        CHECK_UINT(found.next_usec, staple.next_usec);
        store_staple_done(&found);
        CHECK_INT(store_ocsp_read_staple(s, "example.org", ID, &mark, &found), STORE_OCSP_UNCHANGED);
        CHECK_UINT(tree_mode(&dir, "ocsp/example.org/ocsp-" ID ".staple"), 0640);
}

TEST(another_one_is_seen) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        StoreStaple staple = example("first"), found = { 0 };
        StoreOcspMark mark = { 0 };

        CHECK_INT(store_ocsp_read_staple(s, "other", ID, &mark, &found), STORE_OCSP_E_NOT_FOUND);
        REQUIRE(store_ocsp_write(s, "other", ID, &staple) == 0);
        REQUIRE(store_ocsp_read_staple(s, "other", ID, &mark, &found) == 0);
        store_staple_done(&found);
        staple = example("again");
        REQUIRE(store_ocsp_write(s, "other", ID, &staple) == 0);
        REQUIRE(store_ocsp_read_staple(s, "other", ID, &mark, &found) == 0);
        CHECK_MEM(found.der, "again", 5);
        store_staple_done(&found);
}

TEST(failures_alone_leave_the_response) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        StoreStaple failed = { .errors = 1, .next_usec = NOW }, found = { 0 };
        StoreOcspMark mark = { 0 };

        REQUIRE(store_ocsp_write(s, "other", ID, &failed) == 0);
        CHECK_INT(store_ocsp_read_staple(s, "other", ID, &mark, &found), STORE_OCSP_E_NOT_FOUND);
        REQUIRE(store_ocsp_read(s, "other", ID, &found) == 0);
        CHECK(!found.der && found.errors == 1 && found.next_usec == NOW);
        store_staple_done(&found);
}

TEST(attempts_do_not_touch_what_children_read) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        StoreStaple staple = example("der"), found = { 0 };
        StoreOcspMark mark = { 0 };

        REQUIRE(store_ocsp_write(s, "other", ID, &staple) == 0);
        REQUIRE(store_ocsp_read_staple(s, "other", ID, &mark, &found) == 0);
        store_staple_done(&found);
        staple.errors = 7;
        staple.next_usec = NOW + 1000000;
        REQUIRE(store_ocsp_write_attempt(s, "other", ID, &staple) == 0);
        CHECK_INT(store_ocsp_read_staple(s, "other", ID, &mark, &found), STORE_OCSP_UNCHANGED);
        REQUIRE(store_ocsp_read(s, "other", ID, &found) == 0);
        CHECK(found.errors == 7 && found.next_usec == staple.next_usec && found.size == 3);
        store_staple_done(&found);
        CHECK_INT(store_ocsp_write_attempt(s, "other", "x", &staple), -EINVAL);
}

TEST(one_of_two_files_is_enough) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        StoreStaple staple = example("der"), found = { 0 };

        REQUIRE(store_ocsp_write(s, "other", ID, &staple) == 0);
        tree_put(&dir, "ocsp/other/ocsp-" ID ".json", "");
        REQUIRE(store_ocsp_read(s, "other", ID, &found) == 0);
        CHECK(found.size == 3 && found.until_usec == staple.until_usec && found.next_usec == staple.next_usec);
        store_staple_done(&found);
}

TEST(what_is_torn_is_not_there) {
        static const struct {
                const char *what, *json, *staple;
        } cases[] = {
                { "empty", "", "" },
                { "no JSON", "{", "md-staple 1" },
                { "no times", "{\"response\": \"AAAA\", \"status\": \"good\"}", "md-staple 1 \nx" },
                { "of another version", "[]", "md-staple 2 1 2 3\nx" },
                { "no response", "{\"response\": \"\", \"status\": \"good\", \"valid\": {}}", "md-staple 1 1 2 3\n" },
                { "no line end", "1", "md-staple 1 1 2 3" },
                { "ends before it begins", "\"x\"", "md-staple 1 2 1 3\nx" },
                { "something behind the times", "null", "md-staple 1 1 2 3 4\nx" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
                StoreStaple found = { 0 };
                StoreOcspMark mark = { 0 };

                test_case("%s", cases[i].what);
                tree_put(&dir, "ocsp/other/ocsp-" ID ".json", cases[i].json);
                tree_put(&dir, "ocsp/other/ocsp-" ID ".staple", cases[i].staple);
                CHECK_INT(store_ocsp_read_staple(s, "other", ID, &mark, &found), STORE_OCSP_E_NOT_FOUND);
                CHECK(store_ocsp_read(s, "other", ID, &found) == STORE_OCSP_E_NOT_FOUND || !found.der);
                store_staple_done(&found);
        }
}

TEST(names_and_ids) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        StoreStaple staple = example("x"), found = { 0 };

        CHECK_INT(store_ocsp_write(s, "other", "../../x", &staple), -EINVAL);
        CHECK_INT(store_ocsp_write(s, "..", ID, &staple), -EINVAL);
        CHECK_INT(store_ocsp_write(s, "a/b", ID, &staple), -EINVAL);
        CHECK_INT(store_ocsp_read(s, "..", ID, &found), STORE_OCSP_E_NOT_FOUND);
        CHECK_INT(store_ocsp_read(s, "other", "x", &found), STORE_OCSP_E_NOT_FOUND);
}

static bool is_other(const char *name, const char *id, void *userdata) {
        return strcmp(name, "used.test") == 0 && strcmp(id, ID) == 0;
}

TEST(prune) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        StoreStaple staple = example("x"), found = { 0 };

        REQUIRE(store_ocsp_write(s, "used.test", ID, &staple) == 0 && store_ocsp_write(s, "used.test", OTHER, &staple) == 0);
        REQUIRE(store_ocsp_write(s, "gone.test", ID, &staple) == 0);
        tree_put(&dir, "ocsp/kept.test/README", "mine");

        CHECK_INT(store_ocsp_prune(s, clock_now_usec() - USEC_PER_HOUR, is_other, NULL), 0);
        CHECK_INT(store_ocsp_read(s, "gone.test", ID, &found), 0);
        store_staple_done(&found);

        CHECK_INT(store_ocsp_prune(s, clock_now_usec() + USEC_PER_HOUR, is_other, NULL), 0);
        CHECK_INT(store_ocsp_read(s, "used.test", ID, &found), 0);
        store_staple_done(&found);
        CHECK_INT(store_ocsp_read(s, "used.test", OTHER, &found), STORE_OCSP_E_NOT_FOUND);
        CHECK_UINT(tree_mode(&dir, "ocsp/gone.test"), 0);
        CHECK(tree_holds(&dir, "ocsp/kept.test/README", "mine"));
}
