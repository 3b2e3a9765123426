/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http-answer.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/string-util.h"

enum {
        FIELDS_MAX = 100,
        VALUE_MAX = 64, /* of the fields that count */
};

typedef struct Reader {
        const char *p, *end;
        const char *why;
} Reader;

static bool refuse(Reader *r, const char *why) {
        r->why = why;
        return false;
}

/* The next line without its end. */
static bool take_line(Reader *r, const char **ret, size_t *ret_size) {
        const char *end = memchr(r->p, '\n', (size_t) (r->end - r->p));

        if (!end)
                return refuse(r, "it broke off in its header");
        *ret = r->p;
        *ret_size = (size_t) (end - r->p);
        if (*ret_size > 0 && end[-1] == '\r')
                (*ret_size)--;
        r->p = end + 1;
        return true;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* "HTTP/1.0 200 OK" */
static bool take_status(Reader *r, unsigned *ret) {
        const char *line;
        size_t n;

        if (!take_line(r, &line, &n))
                return false;
        if (n < 12 || memcmp(line, "HTTP/1.", 7) != 0 || !is_digit(line[7]) || line[8] != ' ' || !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) ||
            (n > 12 && line[12] != ' '))
                return refuse(r, "it does not begin as an answer in HTTP/1 does");
        *ret = (unsigned) (line[9] - '0') * 100 + (unsigned) (line[10] - '0') * 10 + (unsigned) (line[11] - '0');
        return *ret >= 100 && *ret <= 599 ? true : refuse(r, "its status is none");
}

/* A number, as far as the value is one. */
static bool read_number(const char *value, size_t size, uint64_t *ret) {
        char text[VALUE_MAX];

        while (size > 0 && (*value == ' ' || *value == '\t')) {
                value++;
                size--;
        }
        while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
                size--;
        if (size == 0 || size >= sizeof(text))
                return false;
        memcpy(text, value, size);
        text[size] = 0;
        return strlen(text) == size && parse_uint64(text, ret) == 0;
}

static bool is_field(const char *line, size_t name_size, const char *name) {
        return strlen(name) == name_size && strncasecmp(line, name, name_size) == 0;
}

typedef struct Fields {
        uint64_t length, retry_after_s;
        bool has_length;
} Fields;

static bool take_field(Reader *r, const char *line, size_t size, Fields *f) {
        const char *colon = memchr(line, ':', size);
        size_t name_size = colon ? (size_t) (colon - line) : 0;
        uint64_t number;

        if (name_size == 0)
                return refuse(r, "a line of its header is none");
        if (is_field(line, name_size, "Transfer-Encoding"))
                return refuse(r, "its body is encoded, which was not asked for");
        if (is_field(line, name_size, "Content-Length")) {
                if (!read_number(colon + 1, size - name_size - 1, &number) || (f->has_length && f->length != number))
                        return refuse(r, "its Content-Length is no number");
                f->has_length = true;
                f->length = number;
        }
        if (is_field(line, name_size, "Retry-After") && read_number(colon + 1, size - name_size - 1, &number))
                f->retry_after_s = number;
        return true;
}

static bool take_fields(Reader *r, Fields *f) {
        for (unsigned n = 0; n < FIELDS_MAX; n++) {
                const char *line;
                size_t size;

                if (!take_line(r, &line, &size))
                        return false;
                if (size == 0)
                        return true;
                if (!take_field(r, line, size, f))
                        return false;
        }
        return refuse(r, "its header has too many lines");
}

static bool take_body(Reader *r, const Fields *f, HttpAnswer *a) {
        a->body = r->p;
        a->body_size = (size_t) (r->end - r->p);
        if (!f->has_length)
                return true;
        if (a->body_size < f->length)
                return refuse(r, "it broke off in its body");
        a->body_size = (size_t) f->length;
        return true;
}

int http_answer_parse(const char *data, size_t size, HttpAnswer *ret, const char **ret_why) {
        Reader r = { .p = data, .end = data + size };
        HttpAnswer a = { 0 };
        Fields f = { 0 };

        assert(data);
        assert(ret);
        assert(ret_why);

        if (!take_status(&r, &a.status) || !take_fields(&r, &f) || !take_body(&r, &f, &a)) {
                *ret_why = r.why;
                return HTTP_ANSWER_E_MALFORMED;
        }
        a.retry_after_s = f.retry_after_s;
        *ret = a;
        return HTTP_ANSWER_DONE;
}
