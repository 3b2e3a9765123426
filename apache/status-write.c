/* SPDX-License-Identifier: Apache-2.0 */
#include "status-write.h"

#include <stdarg.h>
#include <string.h>

#include "apr_strings.h"
#include "http_protocol.h"

#include "base/string-util.h"

void put(request_rec *r, const char *s) {
        (void) ap_rputs(s, r);
}

void putf(request_rec *r, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) ap_vrprintf(r, format, ap);
        va_end(ap);
}

static const char *html_entity(char c) {
        switch (c) {

        case '&':
                return "&amp;";

        case '<':
                return "&lt;";

        case '>':
                return "&gt;";

        case '"':
                return "&quot;";

        case '\'':
                return "&#39;";

        default:
                return (unsigned char) c < ' ' || c == 0x7f ? " " : NULL;
        }
}

static void put_translated(request_rec *r, const char *s, const char *(*translate)(char c)) {
        const char *begin = s;

        if (!s)
                return;
        for (; *s; s++) {
                const char *instead = translate(*s);

                if (!instead)
                        continue;
                (void) ap_rwrite(begin, (int) (s - begin), r);
                put(r, instead);
                begin = s + 1;
        }
        (void) ap_rwrite(begin, (int) (s - begin), r);
}

void put_html(request_rec *r, const char *s) {
        put_translated(r, s, html_entity);
}

static const char *blank(char c) {
        return (unsigned char) c < ' ' || c == 0x7f ? " " : NULL;
}

void put_line(request_rec *r, const char *s) {
        put_translated(r, s, blank);
}

/* RFC 3986 section 2.3 */
static bool is_unreserved(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

void put_url(request_rec *r, const char *s) {
        for (; s && *s; s++)
                if (is_unreserved(*s))
                        (void) ap_rputc(*s, r);
                else
                        putf(r, "%%%02X", (unsigned char) *s);
}

bool is_web_url(const char *s) {
        const char *rest = str_after_prefix(s, "https://");

        if (!rest)
                rest = str_after_prefix(s, "http://");
        if (!rest || !*rest)
                return false;
        for (; *rest; rest++)
                if (*rest <= ' ' || *rest >= 0x7f || strchr("\"<>\\^`{|}", *rest))
                        return false;
        return true;
}

const char *url_host(apr_pool_t *p, const char *url) {
        const char *begin = strstr(url, "://"), *at;
        size_t n;

        if (!begin)
                return url;
        begin += strlen("://");
        n = strcspn(begin, "/?#");
        at = memrchr(begin, '@', n);
        if (at) {
                n -= (size_t) (at + 1 - begin);
                begin = at + 1;
        }
        if (*begin == '[')
                n = MIN_OF(n, strcspn(begin, "]") + 1);
        else
                n = MIN_OF(n, strcspn(begin, ":"));
        return apr_pstrmemdup(p, begin, n);
}
