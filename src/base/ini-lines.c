/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ini-lines.h"

#include <string.h>

#include "base/macro.h"

static bool is_comment(const char *line) {
        line += strspn(line, " \t\r");
        return *line == '#' || *line == ';';
}

/* Versions of libinih from 2024 on take a buffer that is full, without a line's end, for part of a line, and leave out what comes next: no line fills it. */
char *ini_lines_next(char *buffer, int size, void *lines) {
        IniLines *l = lines;
        bool whole = true;
        size_t n = 0;
        int c = 0;

        assert(size > 1);

        while (c != '\n' && (c = getc(l->file)) != EOF) {
                if (n + 1 < (size_t) size)
                        buffer[n++] = (char) c;
                else
                        whole = false;
                if (c == '\0')
                        whole = false;
        }
        if (n == 0)
                return NULL;
        if (n + 1 == (size_t) size && buffer[n - 1] != '\n')
                whole = false;
        buffer[n] = '\0';
        l->line++;
        if (whole)
                return buffer;
        if (l->too_long == 0 && !is_comment(buffer))
                l->too_long = l->line;
        buffer[0] = '\0';
        return buffer;
}
