/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "lib/test.h"

TEST(null_is_the_empty_list) {
        _auto_strv_ char **copy = strv_copy(NULL);
        _auto_free_ char *joined = strv_join(NULL, ",");

        CHECK_UINT(strv_length(NULL), 0);
        CHECK(!strv_contains(NULL, "a"));
        CHECK(strv_equal(NULL, copy));
        CHECK_STR(joined, "");
        STRV_FOREACH(s, (char **) NULL)
                CHECK_STR(*s, "nothing");
        strv_sort(NULL);
        CHECK(!strv_free(NULL));
}

TEST(extend_and_consume) {
        _auto_strv_ char **list = NULL;

        CHECK_INT(strv_extend(&list, "b"), 0);
        CHECK_INT(strv_consume(&list, strdup("a")), 0);
        CHECK_INT(strv_consume(&list, NULL), -ENOMEM);
        CHECK_UINT(strv_length(list), 2);
        CHECK(strv_contains(list, "a"));
        CHECK(!strv_contains(list, "A"));
        CHECK_STR(list[0], "b");
        strv_sort(list);
        CHECK_STR(list[0], "a");
        CHECK_STR(list[1], "b");
}

TEST(split_and_join) {
        static const struct {
                const char *text, *joined;
        } cases[] = {
                { "", "" }, { "  ", "" }, { "a", "a" }, { " a b ", "a,b" }, { "a\t\tb c", "a,b,c" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_strv_ char **list = strv_split(cases[i].text, " \t");
                _auto_free_ char *joined = strv_join(list, ",");

                CHECK(list);
                CHECK_STR(joined, cases[i].joined);
        }
}

TEST(equal_and_copy) {
        _auto_strv_ char **a = strv_split("x y", " "), **b = strv_split("y x", " "), **c = strv_split("x", " "), **copy = strv_copy(a);

        CHECK(strv_equal(a, copy));
        CHECK(!strv_equal(a, b));
        CHECK(!strv_equal(a, c));
        CHECK(!strv_equal(c, a));
        CHECK(!strv_equal(a, NULL));
        strv_sort(b);
        CHECK(strv_equal(a, b));
}

TEST(remove) {
        _auto_strv_ char **list = strv_split("a b a c", " ");

        CHECK(!strv_remove(NULL, "a"));
        CHECK(!strv_remove(list, "x"));
        CHECK_UINT(strv_length(list), 4);
        CHECK(strv_remove(list, "a"));
        CHECK_UINT(strv_length(list), 2);
        CHECK_STR(list[0], "b");
        CHECK(strv_remove(list, "c"));
        CHECK(strv_remove(list, "b"));
        CHECK(!strv_remove(list, "b"));
        CHECK_UINT(strv_length(list), 0);
}
