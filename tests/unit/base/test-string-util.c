/* SPDX-License-Identifier: Apache-2.0 */
#include "base/string-util.h"

#include "base/cleanup.h"
#include "lib/test.h"

TEST(equal) {
        CHECK(str_equal("a", "a"));
        CHECK(!str_equal("a", "A"));
        CHECK(!str_equal("a", "ab"));
        CHECK(str_equal(NULL, NULL));
        CHECK(!str_equal(NULL, ""));
        CHECK(!str_equal("", NULL));
        CHECK(str_equal_nocase("aBc", "AbC"));
        CHECK(!str_equal_nocase("abc", "abcd"));
        CHECK(!str_equal_nocase("abcd", "abc"));
        CHECK(!str_equal_nocase("[", "{"));
        CHECK(str_equal_nocase(NULL, NULL));
        CHECK(!str_equal_nocase(NULL, ""));
}

TEST(empty) {
        CHECK(str_is_empty(NULL));
        CHECK(str_is_empty(""));
        CHECK(!str_is_empty(" "));
        CHECK_STR(str_or(NULL, "x"), "x");
        CHECK_STR(str_or("", "x"), "x");
        CHECK_STR(str_or("a", "x"), "a");
}

TEST(prefix_and_suffix) {
        CHECK(str_has_prefix("example", "ex"));
        CHECK(str_has_prefix("example", ""));
        CHECK(!str_has_prefix("ex", "example"));
        CHECK(!str_has_prefix(NULL, "x"));
        CHECK(str_has_suffix("example", "ple"));
        CHECK(str_has_suffix("example", ""));
        CHECK(!str_has_suffix("ple", "example"));
        CHECK(!str_has_suffix(NULL, ""));
        CHECK_STR(str_after_prefix("acme-order", "acme-"), "order");
        CHECK_STR(str_after_prefix("acme-", "acme-"), "");
        CHECK_STR(str_after_prefix("order", "acme-"), NULL);
        CHECK_STR(str_after_prefix(NULL, ""), NULL);
}

TEST(lower) {
        char s[] = "WWW.Example.ORG \xc3\x84[Z]";

        str_to_lower(s);
        CHECK_STR(s, "www.example.org \xc3\x84[z]");
}

TEST(building) {
        _auto_free_ char *s = str_printf("%s-%d", "a", 7);

        CHECK_STR(s, "a-7");
        CHECK_INT(str_replace(&s, "new"), 0);
        CHECK_STR(s, "new");
        CHECK_INT(str_replace(&s, s + 1), 0); /* also a part of itself */
        CHECK_STR(s, "ew");
        CHECK_INT(str_replace(&s, NULL), 0);
        CHECK_STR(s, NULL);
}

TEST(printable) {
        static const struct {
                const char *text, *expected;
        } cases[] = {
                { "", "" },
                { "plain text.", "plain text." },
                { "a\tb", "a?b" },
                { "one\ntwo\r\nthree", "one two  three" },
                { "\x1b[31mred\x1b[0m", "?[31mred?[0m" },
                { "\x7f", "?" },
                { "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x92", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x92" },
                { "latin \xe9", "latin ?" },
                { "c1 \xc2\x9b" "31m", "c1 ?31m" },               /* CSI in UTF-8 */
                { "\xc2\xa0", "\xc2\xa0" },
                { "overlong \xc0\xaf", "overlong ??" },
                { "overlong \xe0\x80\xaf", "overlong ???" },
                { "surrogate \xed\xa0\x80", "surrogate ???" },
                { "too high \xf4\x90\x80\x80", "too high ????" },
                { "\xf5\x80\x80\x80\xff\xfe", "??????" },
                { "cut \xe2\x82", "cut ??" },
                { "lone \x80 tail", "lone ? tail" },
                { "a\xe2\x80\xa8" "b", "a b" },                 /* LINE SEPARATOR */
                { "a\xe2\x80\xae" "b", "a?b" },                 /* RIGHT-TO-LEFT OVERRIDE */
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *s = str_printable(cases[i].text, strlen(cases[i].text), 1000);

                CHECK_STR(s, cases[i].expected);
        }
}

TEST(printable_is_bounded) {
        static const struct {
                const char *text;
                size_t max;
                const char *expected;
        } cases[] = {
                { "12345", 5, "12345" },
                { "123456", 5, "12\xe2\x80\xa6" },
                { "123456", 3, "\xe2\x80\xa6" },
                { "123456", 2, "" },
                { "123456", 0, "" },
                { "", 0, "" },
                { "\xc3\xa9\xc3\xa9\xc3\xa9", 6, "\xc3\xa9\xc3\xa9\xc3\xa9" },
                { "\xc3\xa9\xc3\xa9\xc3\xa9", 5, "\xc3\xa9\xe2\x80\xa6" },
                { "\xc3\xa9\xc3\xa9\xc3\xa9", 4, "\xe2\x80\xa6" },        /* not half a letter */
                { "\xff\xff\xff\xff", 3, "\xe2\x80\xa6" },
        };
        _auto_free_ char *nul = str_printable("a\0b", 3, 10), *none = str_printable(NULL, 0, 10), *all = str_printable("x", 1, SIZE_MAX);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *s = str_printable(cases[i].text, strlen(cases[i].text), cases[i].max);

                test_case("%zu of '%s'", cases[i].max, cases[i].text);
                CHECK_STR(s, cases[i].expected);
        }
        CHECK_STR(nul, "a?b");
        CHECK_STR(none, "");
        CHECK_STR(all, "x");
}

TEST(utf8_sequence) {
        uint32_t c = 42;

        CHECK_UINT(str_utf8_sequence("", 0, &c), 0);
        CHECK_UINT(str_utf8_sequence("\xe2\x82", 2, &c), 0);
        CHECK_UINT(str_utf8_sequence("\x80", 1, &c), 0);
        CHECK_UINT(c, 42);
        CHECK_UINT(str_utf8_sequence("a", 1, &c), 1);
        CHECK_UINT(c, 'a');
        CHECK_UINT(str_utf8_sequence("\0", 1, &c), 1);
        CHECK_UINT(c, 0);
        CHECK_UINT(str_utf8_sequence("\xc3\xa9", 2, &c), 2);
        CHECK_UINT(c, 0xe9);
        CHECK_UINT(str_utf8_sequence("\xe2\x82\xac", 3, &c), 3);
        CHECK_UINT(c, 0x20ac);
        CHECK_UINT(str_utf8_sequence("\xf4\x8f\xbf\xbf", 4, &c), 4);
        CHECK_UINT(c, 0x10ffff);
        CHECK_UINT(str_utf8_sequence("\xc3\xa9", 2, NULL), 2);
}
