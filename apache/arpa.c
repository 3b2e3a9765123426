/* SPDX-License-Identifier: Apache-2.0 */
#include "arpa.h"

#include <arpa/inet.h>
#include <string.h>

#include "apr_lib.h"
#include "apr_strings.h"

#include "base/cleanup.h"
#include "base/string-util.h"
#include "domain/name.h"

#define V4_ROOT ".in-addr.arpa"
#define V6_ROOT ".ip6.arpa"

enum {
        V4_LABELS = 4,
        V6_DIGITS = 32,
};

/* The part of 'name' in front of 'root', from the pool; NULL: it does not end so. */
static char *before_root(apr_pool_t *p, const char *name, const char *root) {
        size_t n = strlen(name), n_root = strlen(root);

        if (n <= n_root || !str_equal_nocase(name + n - n_root, root))
                return NULL;
        return apr_pstrndup(p, name, n - n_root);
}

/* Only the one form of an address is believed: "01.2.0.192" is none. */
static const char *one_form(apr_pool_t *p, const char *text) {
        _auto_free_ char *normalized = domain_name_normalize(text);

        return normalized && domain_name_is_address(normalized) ? apr_pstrdup(p, normalized) : NULL;
}

static const char *v4_address(apr_pool_t *p, char *labels) {
        const char *octets[V4_LABELS];
        char *state = NULL;
        int n = 0;

        if (*labels == '.' || strstr(labels, "..")) /* apr_strtok() would not mind */
                return NULL;
        for (char *label = apr_strtok(labels, ".", &state); label; label = apr_strtok(NULL, ".", &state)) {
                if (n == V4_LABELS)
                        return NULL;
                octets[n++] = label;
        }
        if (n != V4_LABELS)
                return NULL;
        return one_form(p, apr_psprintf(p, "%s.%s.%s.%s", octets[3], octets[2], octets[1], octets[0]));
}

static int digit(char c) {
        if (apr_isdigit(c))
                return c - '0';
        c = (char) apr_tolower(c);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Digits with dots between them, the last one of the address in front. */
static const char *v6_address(apr_pool_t *p, const char *digits) {
        char text[INET6_ADDRSTRLEN];
        struct in6_addr address = { 0 };

        if (strlen(digits) != 2 * V6_DIGITS - 1)
                return NULL;
        for (int i = 0; i < V6_DIGITS; i++) {
                int value = digit(digits[2 * i]), place = V6_DIGITS - 1 - i;

                if (value < 0 || (i > 0 && digits[2 * i - 1] != '.'))
                        return NULL;
                address.s6_addr[place / 2] |= (uint8_t) (place % 2 == 0 ? value << 4 : value);
        }
        return inet_ntop(AF_INET6, &address, text, sizeof(text)) ? one_form(p, text) : NULL;
}

const char *arpa_address(apr_pool_t *p, const char *name) {
        char *rest = before_root(p, name, V4_ROOT);

        if (rest)
                return v4_address(p, rest);
        rest = before_root(p, name, V6_ROOT);
        return rest ? v6_address(p, rest) : NULL;
}
