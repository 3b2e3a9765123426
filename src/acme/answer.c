/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/answer.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"

void acme_answer_init(AcmeAnswer *a, size_t body_max) {
        assert(a);

        *a = (AcmeAnswer){ .body = BUFFER_INIT(body_max) };
}

static void forget_head(AcmeAnswer *a) {
        char **fields[] = { &a->content_type, &a->location, &a->nonce, &a->retry_after, &a->date };

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                free(*fields[i]);
                *fields[i] = NULL;
        }
        a->links = strv_free(a->links);
        a->status = 0;
}

void acme_answer_done(AcmeAnswer *a) {
        assert(a);

        forget_head(a);
        buffer_done(&a->body);
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static bool is_status_line(const char *line, size_t size, unsigned *ret_status) {
        const char *s;
        size_t rest;

        if (size < strlen("HTTP/2 200") || memcmp(line, "HTTP/", 5) != 0)
                return false;
        s = memchr(line, ' ', size);
        if (!s)
                return false;
        s++;
        rest = size - (size_t) (s - line);
        if (rest < 3 || !is_digit(s[0]) || !is_digit(s[1]) || !is_digit(s[2]) || (rest > 3 && s[3] != ' '))
                return false;

        *ret_status = (unsigned) (s[0] - '0') * 100 + (unsigned) (s[1] - '0') * 10 + (unsigned) (s[2] - '0');
        return true;
}

static bool is_printable_ascii(const char *s, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (s[i] < ' ' || s[i] >= 0x7f)
                        return false;
        return true;
}

static char **field_named(AcmeAnswer *a, const char *name, size_t size) {
        const struct {
                const char *name;
                char **value;
        } fields[] = {
                { "Content-Type", &a->content_type },
                { "Date",         &a->date         },
                { "Location",     &a->location     },
                { "Replay-Nonce", &a->nonce        },
                { "Retry-After",  &a->retry_after  },
        };

        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (strlen(fields[i].name) == size && strncasecmp(fields[i].name, name, size) == 0)
                        return fields[i].value;
        return NULL;
}

static bool is_link(const char *name, size_t size) {
        return size == strlen("Link") && strncasecmp(name, "Link", size) == 0;
}

/* The first field of a name counts, but for Link, of which there may be several. */
static int keep_field(AcmeAnswer *a, bool link, char **field, const char *value, size_t size) {
        char *copy;

        if (link && strv_length(a->links) >= ACME_LINKS_MAX)
                return 0;
        copy = strndup(value, size);
        if (!copy)
                return -ENOMEM;
        if (link)
                return strv_consume(&a->links, copy);
        *field = copy;
        return 0;
}

static int add_field(AcmeAnswer *a, const char *line, size_t size) {
        const char *value, *colon = memchr(line, ':', size);
        char **field;
        bool link;

        if (!colon)
                return 0;
        link = is_link(line, (size_t) (colon - line));
        field = field_named(a, line, (size_t) (colon - line));
        if (!link && (!field || *field))
                return 0;

        value = colon + 1;
        size -= (size_t) (value - line);
        for (; size > 0 && (*value == ' ' || *value == '\t'); size--)
                value++;
        while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
                size--;
        if (size == 0 || !is_printable_ascii(value, size))
                return 0;
        return keep_field(a, link, field, value, size);
}

int acme_answer_add_head(AcmeAnswer *a, const char *line, size_t size) {
        unsigned status;

        assert(a);
        assert(line || size == 0);

        if (size > ACME_HEADER_SIZE_MAX || a->headers_size + size > ACME_HEADERS_SIZE_MAX || a->n_headers >= ACME_HEADERS_MAX)
                return ACME_ANSWER_E_TOO_LARGE;
        a->headers_size += size;
        a->n_headers++;

        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
                size--;
        if (size == 0)
                return 0;
        if (is_status_line(line, size, &status)) {
                forget_head(a);
                a->status = status;
                return 0;
        }
        return add_field(a, line, size);
}

int acme_answer_add_body(AcmeAnswer *a, const void *data, size_t size) {
        int r;

        assert(a);

        r = buffer_append(&a->body, data, size);
        return r == BUFFER_E_TOO_LARGE ? ACME_ANSWER_E_TOO_LARGE : r;
}

bool acme_answer_is_success(const AcmeAnswer *a) {
        return a->status >= 200 && a->status < 300;
}

bool acme_answer_has_type(const AcmeAnswer *a, const char *media_type) {
        size_t n = strlen(media_type);

        return a->content_type && strncasecmp(a->content_type, media_type, n) == 0 &&
                (a->content_type[n] == '\0' || a->content_type[n] == ';' || a->content_type[n] == ' ' ||
                 a->content_type[n] == '\t');
}
