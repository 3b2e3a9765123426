/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ini-lines.h"

#include <string.h>

#include "base/cleanup.h"
#include "lib/test.h"

enum { SIZE = 16 }; /* 15 bytes and a NUL */

static const struct {
        const char *what, *text;
        size_t size; /* 0: up to the NUL */
        const char *lines; /* what inih gets, one after the other with '|' behind each */
        unsigned too_long;
} cases[] = {
        { "nothing", "", 0, "", 0 },
        { "lines", "a=b\n\n[c]\n", 0, "a=b\n|\n|[c]\n|", 0 },
        { "no end", "a=b", 0, "a=b|", 0 },
        { "as long as can be, with its end", "a=234567890123\nb=c\n", 0, "a=234567890123\n|b=c\n|", 0 },
        { "the same at the file's end", "a=234567890123", 0, "a=234567890123|", 0 },
        { "one more", "a=2345678901234\nb=c\n", 0, "|b=c\n|", 1 },
        { "one more at the file's end", "b=c\na=2345678901234", 0, "b=c\n||", 2 },
        { "twice as long, its end a line by itself", "a=2345678901234b=c\nd=e\n", 0, "|d=e\n|", 1 },
        { "a comment as long as the room", "# 345678901234\nd=e\n", 0, "# 345678901234\n|d=e\n|", 0 },
        { "a comment longer by one", "# 3456789012345\nd=e\n", 0, "|d=e\n|", 0 },
        { "a long comment, its end a line by itself", "# 3456789012345b=c\nd=e\n", 0, "|d=e\n|", 0 },
        { "a long comment, further in", " \t; 67890123456 b=c\nd=e\n", 0, "|d=e\n|", 0 },
        { "the first of two", "x\na=23456789012345\na=23456789012345\n", 0, "x\n|||", 2 },
        { "a NUL byte", "a=b\0c\nd=e\n", 10, "|d=e\n|", 1 },
        { "a NUL byte in front", "\0a=b\nd=e\n", 9, "|d=e\n|", 1 },
        { "a NUL byte in a comment", "#\0a=b\nd=e\n", 10, "|d=e\n|", 0 },
        { "a NUL byte where it is cut", "a=2345678901234\0b=c\nd=e\n", 24, "|d=e\n|", 1 },
};

TEST(lines) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const size_t size = cases[i].size > 0 ? cases[i].size : strlen(cases[i].text);
                char buffer[SIZE + 1] = "", all[256] = "", text[128];
                IniLines lines = { 0 };

                test_case("%s", cases[i].what);
                memcpy(text, cases[i].text, size + 1);
                buffer[SIZE] = 'x'; /* not ours to write to */
                lines.file = size > 0 ? fmemopen(text, size, "r") : fopen("/dev/null", "re");
                REQUIRE(lines.file);
                while (ini_lines_next(buffer, SIZE, &lines)) {
                        strcat(all, buffer);
                        strcat(all, "|");
                }
                CHECK_STR(all, cases[i].lines);
                CHECK_UINT(lines.too_long, cases[i].too_long);
                CHECK(buffer[SIZE] == 'x');
                (void) fclose(lines.file);
        }
}
