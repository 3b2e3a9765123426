/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/import-lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"

/* How acme.sh wraps values that a shell would stumble over. */
#define ENCODED_BEGIN "__ACME_BASE64__START_"
#define ENCODED_END "__ACME_BASE64__END_"

typedef struct Text {
        const char *begin, *end;
} Text;

void import_lines_done(ImportLines *l) {
        STRV_FOREACH(s, l->items)
                explicit_bzero(*s, strlen(*s)); /* secrets of external accounts may be among them */
        l->items = strv_free(l->items);
}

static Text trim(Text t) {
        while (t.begin < t.end && strchr(" \t\r", *t.begin))
                t.begin++;
        while (t.begin < t.end && strchr(" \t\r", t.end[-1]))
                t.end--;
        return t;
}

static Text unquote(Text t) {
        if (t.end - t.begin >= 2 && (*t.begin == '\'' || *t.begin == '"') && t.end[-1] == *t.begin)
                return (Text){ t.begin + 1, t.end - 1 };
        return t;
}

/* Base64 as base64(1) writes it, to text. NULL: it is none, or there is no memory. */
static char *decode(const char *s, size_t n) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char *text = calloc(1, n + 1), *p = text;
        unsigned bits = 0, value = 0;

        if (!text)
                return NULL;
        for (; n > 0 && *s != '='; s++, n--) {
                const char *letter = strchr(letters, *s);

                if (!*s || !letter) {
                        free(text);
                        return NULL;
                }
                value = value << 6 | (unsigned) (letter - letters);
                bits += 6;
                if (bits < 8)
                        continue;
                bits -= 8;
                *p = (char) (value >> bits & 0xff);
                p += *p ? 1 : 0;
        }
        return text;
}

static char *read_value(Text t) {
        _auto_free_ char *value = NULL;
        const char *inner;
        size_t n;

        t = unquote(trim(t));
        value = strndup(t.begin, (size_t) (t.end - t.begin));
        inner = value ? str_after_prefix(value, ENCODED_BEGIN) : NULL;
        if (!inner || !str_has_suffix(inner, ENCODED_END))
                return take_ptr(value);
        n = strlen(inner) - strlen(ENCODED_END);
        return decode(inner, n);
}

static bool key_is_valid(Text key) {
        if (key.begin == key.end)
                return false;
        for (const char *p = key.begin; p < key.end; p++)
                if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *p) || !*p)
                        return false;
        return true;
}

static int add(ImportLines *l, const char *section, Text line) {
        const char *equals = memchr(line.begin, '=', (size_t) (line.end - line.begin));
        Text key = equals ? trim((Text){ line.begin, equals }) : (Text){ line.begin, line.begin };
        _auto_free_ char *value = NULL;
        int r;

        if (!key_is_valid(key))
                return 0;
        value = read_value((Text){ equals + 1, line.end });
        if (!value)
                return 0;
        r = strv_consume(&l->items, str_printf("%s.%.*s", section, (int) (key.end - key.begin), key.begin));
        return r < 0 ? r : strv_consume(&l->items, take_ptr(value));
}

static int begin_section(Text line, char **section) {
        while (line.begin < line.end && *line.begin == '[')
                line.begin++;
        while (line.begin < line.end && line.end[-1] == ']')
                line.end--;
        free(*section);
        *section = strndup(line.begin, (size_t) (line.end - line.begin));
        return *section ? 0 : -ENOMEM;
}

int import_lines_parse(const char *text, size_t size, ImportLines *ret) {
        _auto_import_lines_ ImportLines l = { 0 };
        _auto_free_ char *section = strdup("");
        const char *end = text + size;
        int r = section ? 0 : -ENOMEM;

        for (size_t n = 0; r == 0 && text < end && n < IMPORT_LINES_MAX; n++) {
                const char *newline = memchr(text, '\n', (size_t) (end - text));
                Text line = trim((Text){ text, newline ? newline : end });

                text = newline ? newline + 1 : end;
                if (line.begin == line.end || line.end - line.begin > IMPORT_LINE_MAX || memchr(line.begin, 0, (size_t) (line.end - line.begin)))
                        continue;
                if (*line.begin == '[')
                        r = begin_section(line, &section);
                else if (*line.begin != '#')
                        r = add(&l, section, line);
        }
        if (r < 0)
                return r;
        *ret = l;
        l = (ImportLines){ 0 };
        return 0;
}

const char *import_lines_get(const ImportLines *l, const char *section, const char *key) {
        const char *found = NULL;

        for (char *const *i = l->items; i && i[0] && i[1]; i += 2) {
                const char *rest = str_after_prefix(i[0], section);

                if (rest && *rest == '.' && str_equal(rest + 1, key))
                        found = i[1];
        }
        return found && *found ? found : NULL;
}
