/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/import.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"

/* The word behind a directive as httpd takes it out of a line: in quotes, a backslash takes the meaning from a quote or a backslash behind it. */
static char *read_word(const char *line) {
        const char *s = line + strcspn(line, " ") + 1;
        char *word = calloc(1, strlen(line) + 1), *p = word;

        if (!word || *s++ != '"')
                return word;
        while (*s && *s != '"') {
                s += *s == '\\' && (s[1] == '\\' || s[1] == '"') ? 1 : 0;
                *p++ = *s++;
        }
        return word;
}

static const char *const words[] = {
        "ISRG Root X1", "", " ", "\"", "\\", "\\\\", "a\\", "a\\\"", "\\\"b", "\"a\" \"b\"", "'", "'a'", "\\n", "#", "> x", "</MDomain>", "$", "$a{", "%{x}", "föö", "a b\\ c",
        "https://ca.example.org/?a=b&c=${",
};

TEST(words_are_read_back) {
        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                _auto_import_certificate_ ImportCertificate c = { 0 };
                bool can = !strstr(words[i], "${");
                _auto_free_ char *word = NULL;

                test_case("%s", words[i]);
                CHECK_INT(import_propose(&c, "MDPreferredChain", words[i]), 0);
                CHECK_UINT(strv_length(c.directives), can ? 1 : 0);
                CHECK_UINT(strv_length(c.remarks), can ? 0 : 1);
                if (!c.directives)
                        continue;
                CHECK(str_has_prefix(c.directives[0], "MDPreferredChain \""));
                CHECK(!str_has_suffix(c.directives[0], "\\"));
                word = read_word(c.directives[0]);
                CHECK_STR(word, words[i]);
        }
}

static const char *const unspeakable[] = {
        "a\nMDMessageCmd /bin/sh", "a\r", "\x1b[2J", "\xff", "\xe2\x80\xae", "${PATH}", "x${a}y",
};

TEST(what_cannot_be_said_is_left_out) {
        _auto_free_ char *long_word = str_printf("%3000s", "x");

        for (size_t i = 0; i <= ELEMENTSOF(unspeakable); i++) {
                _auto_import_certificate_ ImportCertificate c = { 0 };

                CHECK_INT(import_propose(&c, "MDPreferredChain", i < ELEMENTSOF(unspeakable) ? unspeakable[i] : long_word), 0);
                CHECK(!c.directives);
                REQUIRE(strv_length(c.remarks) == 1);
                CHECK(str_has_prefix(c.remarks[0], "MDPreferredChain is left out"));
        }
}

static const struct {
        const char *text, *line;
} comments[] = {
        { "plain",          "# plain" },
        { "C:\\",           "# C:\\." },
        { "C:\\\\",         "# C:\\\\." },
        { "C:\\\n",         "# C:\\ ." },
        { "a\nMDStrict on", "# a MDStrict on" },
        { "a\r\nb",         "# a  b" },
        { "\"a",            "# \"a" },
        { "",               "# " },
};

TEST(comments_are_one_line) {
        _auto_import_certificate_ ImportCertificate c = { 0 };

        for (size_t i = 0; i < ELEMENTSOF(comments); i++) {
                test_case("%s", comments[i].text);
                CHECK_INT(import_propose_comment(&c, "%s", comments[i].text), 0);
                CHECK_STR(c.directives[i], comments[i].line);
        }
}

TEST(long_comments_are_cut) {
        _auto_import_certificate_ ImportCertificate c = { 0 };
        char text[3000];

        memset(text, '\\', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        CHECK_INT(import_propose_comment(&c, "%s", text), 0);
        CHECK(strlen(c.directives[0]) < 2100);
        CHECK(!str_has_suffix(c.directives[0], "\\"));
}
