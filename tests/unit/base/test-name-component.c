/* SPDX-License-Identifier: Apache-2.0 */
#include "base/name-component.h"

#include <errno.h>
#include <string.h>

#include "base/string-util.h"
#include "lib/test.h"

TEST(valid) {
        static const char *const good[] = { "a", "...", ".a", "a b", "a\\b", "-", "example.org" };
        static const char *const bad[] = { NULL, "", ".", "..", "/", "a/b", "a/", "/a" };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                CHECK(name_component_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                CHECK(!name_component_is_valid(bad[i]));
}

TEST(temporary_names_are_known_again) {
        char first[NAME_COMPONENT_SIZE], second[NAME_COMPONENT_SIZE];

        CHECK_INT(name_component_make_temporary("md.json", first), 0);
        CHECK_INT(name_component_make_temporary("md.json", second), 0);
        CHECK(str_has_prefix(first, ".md.json."));
        CHECK_UINT(strlen(first), strlen(".md.json.XXXXXX"));
        CHECK(!str_equal(first, second));
        CHECK(name_component_is_temporary(first));
        CHECK(name_component_is_valid(first));
}

TEST(the_longest_name) {
        char name[NAME_COMPONENT_SIZE], temporary[NAME_COMPONENT_SIZE];

        memset(name, 'x', NAME_MAX - 8);
        name[NAME_MAX - 8] = '\0';
        CHECK_INT(name_component_make_temporary(name, temporary), 0);
        CHECK_UINT(strlen(temporary), NAME_MAX);

        strcpy(temporary, "untouched");
        name[NAME_MAX - 8] = 'x';
        name[NAME_MAX - 7] = '\0';
        CHECK_INT(name_component_make_temporary(name, temporary), -ENAMETOOLONG);
        CHECK_STR(temporary, "untouched");
}

TEST(other_names_are_not_temporary) {
        static const char *const cases[] = {
                NULL, "", ".", "..", ".abcdef", "..abcdef", "x.abcdef", ".x.abcde", ".x.abcdefg", ".x.ABCDEF", ".x.abcde-", "md.json",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", str_or(cases[i], "-"));
                CHECK(!name_component_is_temporary(cases[i]));
        }
}
