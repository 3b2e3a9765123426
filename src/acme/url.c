/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/url.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/string-util.h"

#define SCHEME "https://"
#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
#define ADDRESS_BYTES "0123456789abcdefABCDEF:."

/* RFC 3986 3.2.2: a name or an IPv4 address, or an IPv6 address in brackets. */
static const char *skip_host(const char *s) {
        size_t n;

        if (*s != '[') {
                n = strspn(s, NAME_BYTES);
                return n > 0 ? s + n : NULL;
        }
        n = strspn(s + 1, ADDRESS_BYTES);
        return n > 0 && s[n + 1] == ']' ? s + n + 2 : NULL;
}

static const char *skip_port(const char *s) {
        char digits[sizeof("65535")] = "";
        uint16_t port;
        size_t n;

        if (*s != ':')
                return s;
        n = strspn(++s, "0123456789");
        if (n >= sizeof(digits))
                return NULL;
        memcpy(digits, s, n);
        return parse_port(digits, &port) == 0 ? s + n : NULL;
}

static const char *end_of_authority(const char *url) {
        const char *s = str_after_prefix(url, SCHEME);

        s = s ? skip_host(s) : NULL;
        s = s ? skip_port(s) : NULL;
        return s && (*s == '\0' || *s == '/' || *s == '?') ? s : NULL;
}

bool acme_url_is_valid(const char *url) {
        if (!url || strnlen(url, ACME_URL_MAX + 1) > ACME_URL_MAX || !end_of_authority(url))
                return false;

        for (const char *s = url; *s; s++)
                if (*s <= ' ' || *s >= 0x7f || strchr("\"#<>\\^`{|}", *s))
                        return false;
        return true;
}

char *acme_url_host(const char *url) {
        const char *end = end_of_authority(url);

        assert(end);

        return strndup(url + strlen(SCHEME), (size_t) (end - url) - strlen(SCHEME));
}

/* RFC 3986 5.2.4, in place: "." and ".." as segments of a path that begins with a slash. */
static void remove_dot_segments(char *path) {
        char *in = path, *out = path;

        while (*in == '/') {
                size_t n = strcspn(in + 1, "/") + 1;
                bool last = in[n] == '\0';

                if ((n == 2 && in[1] == '.') || (n == 3 && in[1] == '.' && in[2] == '.')) {
                        if (n == 3)
                                while (out > path && *--out != '/')
                                        ;
                        if (last)
                                *out++ = '/';
                } else {
                        memmove(out, in, n);
                        out += n;
                }
                in += n;
        }
        *out = '\0';
}

/* The base up to where the reference goes on, and the reference. */
static char *join(const char *base, const char *reference) {
        const char *path = end_of_authority(base), *end = path + strcspn(path, "?"), *slash = end;

        if (str_has_prefix(reference, "//"))
                return str_printf("https:%s", reference);
        if (*reference == '/')
                return str_printf("%.*s%s", (int) (path - base), base, reference);
        if (*reference == '?')
                return str_printf("%.*s%s", (int) (end - base), base, reference);
        while (slash > path && slash[-1] != '/')
                slash--;
        return str_printf("%.*s%s%s", (int) (slash - base), base, slash == path ? "/" : "", reference);
}

static bool has_scheme(const char *s) {
        size_t n = strcspn(s, ":/?#");

        return n > 0 && s[n] == ':';
}

int acme_url_resolve(const char *base, const char *reference, char **ret) {
        _auto_free_ char *url = NULL, *query = NULL;
        char *mark, *path;

        assert(acme_url_is_valid(base));

        if (str_is_empty(reference) || strnlen(reference, ACME_URL_MAX + 1) > ACME_URL_MAX)
                return -EINVAL;
        url = has_scheme(reference) ? strdup(reference) : join(base, reference);
        if (!url)
                return -ENOMEM;
        if (!acme_url_is_valid(url))
                return -EINVAL;

        if (!has_scheme(reference)) {
                path = url + (end_of_authority(url) - url);
                mark = path + strcspn(path, "?");
                query = strdup(mark);
                if (!query)
                        return -ENOMEM;
                *mark = '\0';
                remove_dot_segments(path);
                memcpy(path + strlen(path), query, strlen(query) + 1);
        }
        *ret = take_ptr(url);
        return 0;
}
