/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/url.h"

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
