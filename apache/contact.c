/* SPDX-License-Identifier: Apache-2.0 */
#include "contact.h"

#include <stdbool.h>

#include "apr_lib.h"
#include "apr_strings.h"

#include "base/string-util.h"
#include "domain/name.h"

#define MAILTO "mailto:"

static bool is_mailto(const char *text) {
        return strncasecmp(text, MAILTO, strlen(MAILTO)) == 0;
}

/* "tel:+1-201-555-0123". What stands in front of an address is no scheme. */
static bool is_other_uri(const char *text) {
        const char *c = text;

        if (!apr_isalpha(*c))
                return false;
        while (apr_isalnum(*c) || *c == '+' || *c == '-' || *c == '.')
                c++;
        return *c == ':' && c[1] != '\0' && !is_mailto(text);
}

static bool is_printable(const char *text) {
        for (const char *c = text; *c; c++)
                if ((unsigned char) *c <= ' ' || (unsigned char) *c >= 0x7f)
                        return false;
        return true;
}

/* The host of an address, in lower case; NULL: it is not an address. One address only and no header fields: RFC 8555 section 7.3. */
static const char *host_of(apr_pool_t *p, const char *address) {
        const char *at = strchr(address, '@');
        char *host;

        if (!at || at == address || strpbrk(address, ",:?<>") || !is_printable(address))
                return NULL;

        host = apr_pstrdup(p, at + 1);
        str_to_lower(host);
        return domain_name_is_valid(host) && !domain_name_is_wildcard(host) ? host : NULL;
}

static const char *uri_of_address(apr_pool_t *p, const char *text, const char **ret_host) {
        const char *address = is_mailto(text) ? text + strlen(MAILTO) : text;

        *ret_host = host_of(p, address);
        return *ret_host ? apr_pstrcat(p, MAILTO, address, NULL) : NULL;
}

const char *contact_uri(apr_pool_t *p, const char *text) {
        const char *host;

        if (is_other_uri(text))
                return is_printable(text) ? text : NULL;
        return uri_of_address(p, text, &host);
}

const char *contact_uri_of_admin(apr_pool_t *p, const char *text) {
        const char *uri, *host;

        uri = uri_of_address(p, text, &host);
        return uri && strchr(host, '.') ? uri : NULL;
}
