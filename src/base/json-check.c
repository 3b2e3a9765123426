/* SPDX-License-Identifier: Apache-2.0 */

/* A look at JSON text that builds nothing: some thousand documents that are handed on as they are want to be whole, not to be understood. */

#include "base/json.h"

#include <string.h>

#include "base/string-util.h"

enum {
        DEPTH_MAX = 32, /* as json_parse() has it */
};

typedef struct Text {
        const char *p, *end;
} Text;

static bool skip_value(Text *t, unsigned depth);

static void skip_blank(Text *t) {
        while (t->p < t->end && (*t->p == ' ' || *t->p == '\n' || *t->p == '\r' || *t->p == '\t'))
                t->p++;
}

static bool skip_char(Text *t, char c) {
        skip_blank(t);
        if (t->p == t->end || *t->p != c)
                return false;
        t->p++;
        return true;
}

static bool skip_escape(Text *t) {
        t->p++;
        if (t->p == t->end || !*t->p || !strchr("\"\\/bfnrtu", *t->p))
                return false;
        if (*t->p++ != 'u')
                return true;
        for (unsigned i = 0; i < 4; i++, t->p++)
                if (t->p == t->end || !*t->p || !strchr("0123456789abcdefABCDEF", *t->p))
                        return false;
        return true;
}

static bool skip_string(Text *t) {
        if (!skip_char(t, '"'))
                return false;
        while (t->p < t->end && *t->p != '"') {
                unsigned char c = (unsigned char) *t->p;
                size_t n = 1;

                if (c == '\\') {
                        if (!skip_escape(t))
                                return false;
                        continue;
                }
                if (c < 0x20)
                        return false;
                if (c >= 0x80)
                        n = str_utf8_sequence(t->p, (size_t) (t->end - t->p), NULL);
                if (n == 0)
                        return false;
                t->p += n;
        }
        return skip_char(t, '"');
}

static size_t skip_digits(Text *t) {
        const char *begin = t->p;

        while (t->p < t->end && *t->p >= '0' && *t->p <= '9')
                t->p++;
        return (size_t) (t->p - begin);
}

/* RFC 8259 section 6. */
static bool skip_number(Text *t) {
        const char *begin;
        size_t n;

        if (*t->p == '-')
                t->p++;
        begin = t->p;
        n = skip_digits(t);
        if (n == 0 || (n > 1 && *begin == '0'))
                return false;
        if (t->p < t->end && *t->p == '.') {
                t->p++;
                if (skip_digits(t) == 0)
                        return false;
        }
        if (t->p < t->end && (*t->p == 'e' || *t->p == 'E')) {
                t->p++;
                if (t->p < t->end && (*t->p == '+' || *t->p == '-'))
                        t->p++;
                return skip_digits(t) > 0;
        }
        return true;
}

static bool skip_word(Text *t) {
        static const char *const words[] = { "true", "false", "null" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                size_t n = strlen(words[i]);

                if ((size_t) (t->end - t->p) >= n && memcmp(t->p, words[i], n) == 0) {
                        t->p += n;
                        return true;
                }
        }
        return false;
}

/* A list, or with 'members' an object. */
static bool skip_container(Text *t, bool members, char close, unsigned depth) {
        t->p++;
        if (depth >= DEPTH_MAX)
                return false;
        if (skip_char(t, close))
                return true;
        do {
                if (members && (!skip_string(t) || !skip_char(t, ':')))
                        return false;
                if (!skip_value(t, depth + 1))
                        return false;
        } while (skip_char(t, ','));
        return skip_char(t, close);
}

static bool skip_value(Text *t, unsigned depth) {
        skip_blank(t);
        if (t->p == t->end)
                return false;
        switch (*t->p) {

        case '{':
                return skip_container(t, true, '}', depth);

        case '[':
                return skip_container(t, false, ']', depth);

        case '"':
                return skip_string(t);

        case '-':
        case '0' ... '9':
                return skip_number(t);

        default:
                return skip_word(t);
        }
}

bool json_is_object(const char *data, size_t size) {
        Text t = { data, data + size };

        skip_blank(&t);
        if (t.p == t.end || *t.p != '{' || !skip_value(&t, 0))
                return false;
        skip_blank(&t);
        return t.p == t.end;
}

static bool skip_member(Text *t, const char *key, bool *ret_is_it) {
        const char *begin;
        size_t n = strlen(key);

        skip_blank(t);
        begin = t->p;
        if (!skip_string(t))
                return false;
        if (memchr(begin, '\\', (size_t) (t->p - begin)))
                return false; /* it may say the same in other words */
        *ret_is_it = (size_t) (t->p - begin) == n + 2 && memcmp(begin + 1, key, n) == 0;
        return skip_char(t, ':');
}

bool json_find_list(const char *data, size_t size, const char *key, JsonSpan *ret) {
        Text t = { data, data + size };
        JsonSpan found = { 0 };

        if (!json_is_object(data, size))
                return false;
        (void) skip_char(&t, '{');
        if (skip_char(&t, '}'))
                return false;
        do {
                const char *begin;
                bool is_it;

                if (!skip_member(&t, key, &is_it))
                        return false;
                skip_blank(&t);
                begin = t.p;
                if (!skip_value(&t, 1))
                        return false;
                if (!is_it)
                        continue;
                if (found.begin || *begin != '[')
                        return false;
                found = (JsonSpan){ begin, t.p };
        } while (skip_char(&t, ','));
        if (!found.begin)
                return false;
        *ret = found;
        return true;
}

bool json_next_entry(const JsonSpan *list, JsonSpan *entry) {
        Text t = { entry->begin ? entry->end : list->begin, list->end };

        if (!skip_char(&t, entry->begin ? ',' : '['))
                return false;
        skip_blank(&t);
        entry->begin = t.p;
        if (!skip_value(&t, 2))
                return false; /* "]" */
        entry->end = t.p;
        return true;
}
