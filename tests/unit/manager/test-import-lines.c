/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/import-lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lib/test.h"

#define ENCODED(s) "__ACME_BASE64__START_" s "__ACME_BASE64__END_"

static const struct {
        const char *text, *section, *key, *value;
} cases[] = {
        { "a=b",                       "",  "a", "b"   },
        { "a = b",                     "",  "a", "b"   },
        { " a =\tb c \r\n",            "",  "a", "b c" },
        { "a='b'",                     "",  "a", "b"   },
        { "a=\"b\"",                   "",  "a", "b"   },
        { "a='b\"",                    "",  "a", "'b\"" },
        { "a='",                       "",  "a", "'"   },
        { "a=b=c",                     "",  "a", "b=c" },
        { "a='$(x) `y` \\n'",          "",  "a", "$(x) `y` \\n" },
        { "a=",                        "",  "a", NULL  },
        { "a=b\na=c",                  "",  "a", "c"   },
        { "a=b\na=",                   "",  "a", NULL  },
        { "#a=b",                      "",  "a", NULL  },
        { "a",                         "",  "a", NULL  },
        { "",                          "",  "a", NULL  },
        { "export a=b",                "",  "a", NULL  },
        { "a.b=c",                     "",  "a.b", NULL },
        { "[s]\na=b",                  "s", "a", "b"   },
        { "[s]\na=b",                  "",  "a", NULL  },
        { "a=b\n[s]",                  "s", "a", NULL  },
        { "[s]\n[[t]]\na=b",           "t", "a", "b"   },
        { "[s]\n[[t]]\na=b",           "s", "a", NULL  },
        { "[]\na=b",                   "",  "a", "b"   },
        { "[\na=b",                    "",  "a", "b"   },
        { "a='" ENCODED("aGVsbG8=") "'", "", "a", "hello" },
        { "a='" ENCODED("aGVsbG8") "'",  "", "a", "hello" },
        { "a='" ENCODED("") "'",       "",  "a", NULL  },
        { "a='" ENCODED("!") "'",      "",  "a", NULL  },
        { "a='" ENCODED("AGFi") "'",   "",  "a", "ab"  },
        { "a='__ACME_BASE64__START_aGVsbG8'", "", "a", "__ACME_BASE64__START_aGVsbG8" },
};

TEST(lines) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_import_lines_ ImportLines l = { 0 };

                test_case("%s", cases[i].text);
                REQUIRE(import_lines_parse(cases[i].text, strlen(cases[i].text), &l) == 0);
                CHECK_STR(import_lines_get(&l, cases[i].section, cases[i].key), cases[i].value);
        }
}

TEST(bytes) {
        static const char text[] = "a\0=b\nc=d\0e\nf=g\n\xff\xfe=\xff\nh=\xff";
        _auto_import_lines_ ImportLines l = { 0 };

        REQUIRE(import_lines_parse(text, sizeof(text) - 1, &l) == 0);
        CHECK(!import_lines_get(&l, "", "a"));
        CHECK(!import_lines_get(&l, "", "c"));
        CHECK_STR(import_lines_get(&l, "", "f"), "g");
        CHECK_STR(import_lines_get(&l, "", "h"), "\xff");
}

TEST(ceilings) {
        size_t size = IMPORT_LINE_MAX + 100;
        _auto_free_ char *text = malloc(size + 8), *many = malloc(4 * (IMPORT_LINES_MAX + 1));
        _auto_import_lines_ ImportLines l = { 0 };

        REQUIRE(text && many);
        memset(text, 'x', size);
        memcpy(text, "a=", 2);
        memcpy(text + size, "\nb=c\n", 6);
        REQUIRE(import_lines_parse(text, strlen(text), &l) == 0);
        CHECK(!import_lines_get(&l, "", "a"));
        CHECK_STR(import_lines_get(&l, "", "b"), "c");
        import_lines_done(&l);

        for (size_t i = 0; i <= IMPORT_LINES_MAX; i++)
                memcpy(many + 4 * i, i < IMPORT_LINES_MAX ? "x=y\n" : "z=y\n", 4);
        REQUIRE(import_lines_parse(many, 4 * (IMPORT_LINES_MAX + 1), &l) == 0);
        CHECK_STR(import_lines_get(&l, "", "x"), "y");
        CHECK(!import_lines_get(&l, "", "z"));
}
