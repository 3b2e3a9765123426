/* SPDX-License-Identifier: Apache-2.0 */
#include "base/string-util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ELLIPSIS "\xe2\x80\xa6"

bool str_equal(const char *a, const char *b) {
        if (!a || !b)
                return a == b;
        return strcmp(a, b) == 0;
}

static char lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* Not strcasecmp(3), which asks the locale. */
bool str_equal_nocase(const char *a, const char *b) {
        if (!a || !b)
                return a == b;
        for (; lower(*a) == lower(*b); a++, b++)
                if (!*a)
                        return true;
        return false;
}

bool str_is_empty(const char *s) {
        return !s || !*s;
}

const char *str_after_prefix(const char *s, const char *prefix) {
        size_t length;

        assert(prefix);

        length = strlen(prefix);
        if (!s || strncmp(s, prefix, length) != 0)
                return NULL;
        return s + length;
}

bool str_has_prefix(const char *s, const char *prefix) {
        return str_after_prefix(s, prefix) != NULL;
}

bool str_has_suffix(const char *s, const char *suffix) {
        size_t s_length, suffix_length;

        assert(suffix);

        if (!s)
                return false;
        s_length = strlen(s);
        suffix_length = strlen(suffix);
        return s_length >= suffix_length && strcmp(s + s_length - suffix_length, suffix) == 0;
}

void str_to_lower(char *s) {
        assert(s);

        for (; *s; s++)
                *s = lower(*s);
}

char *str_vprintf(const char *format, va_list ap) {
        char *s;

        assert(format);

        return vasprintf(&s, format, ap) < 0 ? NULL : s;
}

char *str_printf(const char *format, ...) {
        va_list ap;
        char *s;

        va_start(ap, format);
        s = str_vprintf(format, ap);
        va_end(ap);
        return s;
}

int str_replace(char **s, const char *value) {
        char *copy = NULL;

        assert(s);

        if (value) {
                copy = strdup(value);
                if (!copy)
                        return -ENOMEM;
        }
        free(*s);
        *s = copy;
        return 0;
}

size_t str_utf8_sequence(const char *s, size_t size, uint32_t *ret_code_point) {
        static const struct {
                unsigned char mask, lead;
                uint32_t least; /* what a shorter sequence could say is not valid */
        } forms[] = {
                { 0x80, 0x00, 0 },
                { 0xe0, 0xc0, 0x80 },
                { 0xf0, 0xe0, 0x800 },
                { 0xf8, 0xf0, 0x10000 },
        };
        const unsigned char *bytes = (const unsigned char *) s;

        assert(s || size == 0);

        for (size_t n = 0; n < ELEMENTSOF(forms) && n < size; n++) {
                uint32_t code_point;

                if ((bytes[0] & forms[n].mask) != forms[n].lead)
                        continue;

                code_point = bytes[0] & (unsigned char) ~forms[n].mask;
                for (size_t i = 1; i <= n; i++) {
                        if ((bytes[i] & 0xc0) != 0x80)
                                return 0;
                        code_point = code_point << 6 | (bytes[i] & 0x3f);
                }
                if (code_point < forms[n].least || code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff))
                        return 0;
                if (ret_code_point)
                        *ret_code_point = code_point;
                return n + 1;
        }
        return 0;
}

static bool is_line_break(uint32_t code_point) {
        return code_point == '\n' || code_point == '\r' || code_point == 0x2028 || code_point == 0x2029;
}

/* Control characters, and the marks that turn the direction of a terminal's or a browser's text around. */
static bool is_unsafe(uint32_t code_point) {
        return code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f) ||
                code_point == 0x200e || code_point == 0x200f ||
                (code_point >= 0x202a && code_point <= 0x202e) ||
                (code_point >= 0x2066 && code_point <= 0x2069);
}

char *str_printable(const char *s, size_t size, size_t max) {
        size_t length = 0, cut = 0;
        char *text;

        assert(s || size == 0);

        /* No character becomes longer. */
        if (max > SIZE_MAX - sizeof(ELLIPSIS))
                max = SIZE_MAX - sizeof(ELLIPSIS);
        text = malloc(MIN_OF(size, max) + sizeof(ELLIPSIS));
        if (!text)
                return NULL;

        while (size > 0) {
                size_t n, written = 1;
                uint32_t code_point;
                char replacement = 0;

                n = str_utf8_sequence(s, size, &code_point);
                if (n == 0) {
                        n = 1;
                        replacement = '?';
                } else if (is_line_break(code_point))
                        replacement = ' ';
                else if (is_unsafe(code_point))
                        replacement = '?';
                else
                        written = n;

                if (written > max - length) {
                        /* 'cut' is where the last character ended that leaves room for the ellipsis. */
                        length = cut;
                        if (max >= strlen(ELLIPSIS)) {
                                memcpy(text + length, ELLIPSIS, strlen(ELLIPSIS));
                                length += strlen(ELLIPSIS);
                        }
                        break;
                }

                if (replacement)
                        text[length] = replacement;
                else
                        memcpy(text + length, s, n);
                length += written;
                if (max >= strlen(ELLIPSIS) && length <= max - strlen(ELLIPSIS))
                        cut = length;
                s += n;
                size -= n;
        }

        text[length] = '\0';
        return text;
}
