/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/sign-url.h"

#include "base/string-util.h"

enum {
        URL_MAX = 2048,
};

bool sign_url_is_valid(const char *url) {
        const char *host = str_after_prefix(url, "https://");
        size_t authority;

        if (!host || strlen(url) > URL_MAX)
                return false;
        for (const char *p = url; *p; p++)
                if (*p <= ' ' || *p >= 127 || *p == '#' || *p == '"' || *p == '\\')
                        return false;
        authority = strcspn(host, "/?");
        return authority > 0 && !memchr(host, '@', authority);
}

bool sign_same_origin(const char *a, const char *b) {
        const char *host = str_after_prefix(a, "https://");
        size_t n;

        if (!host || !b)
                return false;
        n = strcspn(host, "/?") + strlen("https://");
        return strncasecmp(a, b, n) == 0 && (b[n] == 0 || b[n] == '/' || b[n] == '?');
}
