/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/name.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "lib/test.h"

#define LABEL_63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01234567890"
#define NAME_252                               \
        LABEL_63 "." LABEL_63 "." LABEL_63 "." \
                 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz12345678"

TEST(valid_names) {
        static const struct {
                const char *name;
                bool valid;
        } cases[] = {
                { "example.org", true },
                { "a.b", true },
                { "localhost", true },
                { "xn--mnchen-3ya.example", true },
                { "1.2.3.com", true },
                { "3com.net", true },
                { "*.example.org", true },
                { "*.org", true },
                { LABEL_63 ".org", true },
                { NAME_252 "x", true },
                { "", false },
                { ".", false },
                { "*", false },
                { "*.", false },
                { "*.*.org", false },
                { "a.*.org", false },
                { "*a.org", false },
                { "Example.org", false },
                { "example.org.", false },
                { ".example.org", false },
                { "example..org", false },
                { "-a.org", false },
                { "a-.org", false },
                { "a.org-", false },
                { "foo_bar.org", false },
                { "foo bar.org", false },
                { "a.org\n", false },
                { "../etc", false },
                { "a/b", false },
                { "m\xc3\xbcnchen.example", false },
                { "192.0.2.1", false },
                { "example.123", false },
                { "::1", false },
                { LABEL_63 "x.org", false },
                { NAME_252 "xy", false },
        };

        CHECK(!domain_name_is_valid(NULL));
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("'%s'", cases[i].name);
                CHECK(domain_name_is_valid(cases[i].name) == cases[i].valid);
        }
}

TEST(normalize) {
        static const struct {
                const char *given, *expected;
        } cases[] = {
                { "Example.ORG", "example.org" },
                { "example.org.", "example.org" },
                { "*.Example.org", "*.example.org" },
                { "example.org..", "example.org." },
                { ".", "" },
                { "", "" },
                { "M\xc3\x9cNCHEN", "m\xc3\x9cnchen" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *s = domain_name_normalize(cases[i].given);

                test_case("'%s'", cases[i].given);
                CHECK_STR(s, cases[i].expected);
        }
}

static const struct {
        const char *pattern, *name;
        bool covers;
} coverage[] = {
        { "example.org", "example.org", true },
        { "example.org", "www.example.org", false },
        { "www.example.org", "example.org", false },
        { "*.x.org", "a.x.org", true },
        { "*.x.org", "x.org", false },
        { "*.x.org", "a.b.x.org", false },
        { "*.x.org", "*.x.org", true },
        { "*.x.org", ".x.org", false },
        { "*.x.org", "ax.org", false },
        { "a.x.org", "*.x.org", false },
        { "*.org", "x.org", true },
        { "*", "org", false },
        { "*.", "a.", true }, /* neither is a name; nothing breaks */
        { "192.0.2.1", "192.0.2.1", true },
};

TEST(covers) {
        for (size_t i = 0; i < ELEMENTSOF(coverage); i++) {
                test_case("'%s' and '%s'", coverage[i].pattern, coverage[i].name);
                CHECK(domain_name_covers(coverage[i].pattern, coverage[i].name) == coverage[i].covers);
        }
}

TEST(one_of_several_covers) {
        char *patterns[] = { (char *) "a.org", (char *) "*.b.org", NULL };

        CHECK(domain_names_cover(patterns, "a.org"));
        CHECK(domain_names_cover(patterns, "x.b.org"));
        CHECK(!domain_names_cover(patterns, "b.org"));
        CHECK(!domain_names_cover(NULL, "a.org"));
}

TEST(uncovered_is_the_same_for_few_and_many_patterns) {
        for (size_t more = 0; more <= 20; more += 20)
                for (size_t i = 0; i < ELEMENTSOF(coverage); i++) {
                        char *names[] = { (char *) coverage[i].name, NULL };
                        _auto_strv_ char **patterns = NULL;
                        const char *first = "untouched";
                        size_t count = 77;

                        test_case("'%s' and '%s' with %zu more", coverage[i].pattern, coverage[i].name, more);
                        REQUIRE(strv_extend(&patterns, coverage[i].pattern) == 0);
                        for (size_t k = 0; k < more; k++) {
                                char filler[40];

                                (void) snprintf(filler, sizeof(filler), "filler-%zu.example", k);
                                REQUIRE(strv_extend(&patterns, filler) == 0);
                        }
                        CHECK_INT(domain_names_uncovered(patterns, names, &first, &count), 0);
                        CHECK_UINT(count, coverage[i].covers ? 0 : 1);
                        CHECK_STR(first, coverage[i].covers ? NULL : coverage[i].name);
                }
}

TEST(uncovered_tells_the_first_and_how_many) {
        char *patterns[] = { (char *) "a.org", NULL };
        char *names[] = { (char *) "a.org", (char *) "b.org", (char *) "c.org", NULL };
        char *all[] = { (char *) "a.org", NULL };
        const char *first;
        size_t count;

        CHECK_INT(domain_names_uncovered(patterns, names, &first, &count), 0);
        CHECK_STR(first, "b.org");
        CHECK_UINT(count, 2);
        CHECK_INT(domain_names_uncovered(patterns, all, &first, &count), 0);
        CHECK_STR(first, NULL);
        CHECK_UINT(count, 0);
        CHECK_INT(domain_names_uncovered(NULL, names, &first, &count), 0);
        CHECK_UINT(count, 3);
        CHECK_INT(domain_names_uncovered(patterns, NULL, &first, &count), 0);
        CHECK_UINT(count, 0);
}

TEST(names_longer_than_any_real_one_are_not_covered) {
        char *patterns[20] = {}, *names[2] = {};
        char name[600];
        const char *first;
        size_t count;

        memset(name, 'a', sizeof(name) - 1);
        name[1] = '.';
        name[sizeof(name) - 1] = 0;
        names[0] = name;
        for (size_t i = 0; i < 15; i++)
                patterns[i] = (char *) "*.example.org";
        CHECK_INT(domain_names_uncovered(patterns, names, &first, &count), 0);
        CHECK_UINT(count, 1);
}

TEST(names_that_a_wildcard_covers_are_left_out) {
        static const struct {
                const char *names, *left;
        } cases[] = {
                { "example.org *.example.org www.example.org",          "example.org *.example.org" },
                { "www.example.org *.example.org",                      "*.example.org" },
                { "a.b.example.org *.example.org",                      "a.b.example.org *.example.org" },
                { "*.b.example.org *.example.org a.b.example.org",      "*.b.example.org *.example.org" },
                { "*.org *.example.org",                                "*.org *.example.org" }, /* no wildcard stands for another one */
                { "example.org www.example.org 192.0.2.1 2001:db8::1",  "example.org www.example.org 192.0.2.1 2001:db8::1" },
                { "",                                                   "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_strv_ char **names = strv_split(cases[i].names, " "), **left = NULL, **expected = strv_split(cases[i].left, " ");

                test_case("%s", cases[i].names);
                CHECK_INT(domain_names_without_covered(names, &left), 0);
                CHECK_UINT(strv_length(left), strv_length(expected));
                CHECK(strv_length(expected) == 0 || strv_equal(left, expected));
        }
}
