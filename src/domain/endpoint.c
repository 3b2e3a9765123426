/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/endpoint.h"

#include <string.h>

#include "base/parse.h"
#include "base/string-util.h"
#include "domain/domain-internal.h"
#include "domain/name.h"

enum { PORT_TEXT_MAX = 6 };

static bool copy_part(char *to, size_t max, const char *begin, const char *end) {
        size_t n = (size_t) (end - begin);

        if (n >= max)
                return false;
        memcpy(to, begin, n);
        to[n] = '\0';
        return true;
}

static bool read_address(const char *begin, const char *end, char address[static ENDPOINT_ADDRESS_MAX]) {
        bool bracketed = *begin == '[';

        if (bracketed && (end - begin < 2 || end[-1] != ']'))
                return false;
        if (!copy_part(address, ENDPOINT_ADDRESS_MAX, begin + bracketed, end - bracketed))
                return false;
        if (!bracketed && str_equal(address, "*")) {
                address[0] = '\0';
                return true;
        }
        return domain_name_is_address(address) && bracketed == !!strchr(address, ':');
}

static bool read_port(const char *begin, const char *end, uint16_t *ret) {
        char text[PORT_TEXT_MAX];

        if (!copy_part(text, sizeof(text), begin, end))
                return false;
        if (str_equal(text, "0")) {
                *ret = 0;
                return true;
        }
        return parse_port(text, ret) == 0;
}

bool endpoint_parse(const char *text, Endpoint *ret) {
        const char *blank = strchr(text, ' '), *colon = blank ? memrchr(text, ':', (size_t) (blank - text)) : NULL;
        Endpoint e;

        if (!colon || colon == text || !read_address(text, colon, e.address) || !read_port(colon + 1, blank, &e.port))
                return false;
        e.name = blank + 1;
        if (!domain_identifier_is_valid(e.name) || domain_name_is_wildcard(e.name))
                return false;
        *ret = e;
        return true;
}

bool domain_endpoint_is_valid(const char *s) {
        Endpoint e;

        return endpoint_parse(s, &e);
}
