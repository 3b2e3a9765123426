/* SPDX-License-Identifier: Apache-2.0 */
#include "status-accept.h"

#include <string.h>
#include <strings.h>

/* In thousandths; what is no weight counts as 1. */
static unsigned parse_weight(const char *s, size_t size) {
        unsigned weight, unit = 100;

        if (size == 0 || (*s != '0' && *s != '1'))
                return 1000;
        weight = *s == '1' ? 1000 : 0;
        if (size > 1 && s[1] == '.')
                for (size_t i = 2; i < size && i < 5 && s[i] >= '0' && s[i] <= '9'; i++, unit /= 10)
                        weight += (unsigned) (s[i] - '0') * unit;
        return MIN_OF(weight, 1000U);
}

static size_t skip(const char *s, size_t size, const char *set) {
        size_t n = 0;

        while (n < size && strchr(set, s[n]))
                n++;
        return n;
}

/* One element of the list: media type and parameters. */
static unsigned weigh(const char *s, size_t size, const char *type) {
        size_t n = skip(s, size, " \t"), length = strlen(type);

        s += n;
        size -= n;
        if (size < length || strncasecmp(s, type, length) != 0)
                return 0;
        s += length;
        size -= length;
        n = skip(s, size, " \t");
        if (n < size && s[n] != ';')
                return 0;
        while (n < size) {
                const char *end;

                n += skip(s + n, size - n, "; \t");
                if (size - n > 2 && (s[n] == 'q' || s[n] == 'Q') && s[n + 1] == '=')
                        return parse_weight(s + n + 2, size - n - 2);
                end = memchr(s + n, ';', size - n);
                if (!end)
                        break;
                n = (size_t) (end - s);
        }
        return 1000;
}

static unsigned wanted(const char *field, const char *type) {
        unsigned most = 0;

        while (*field) {
                size_t n = strcspn(field, ",");

                most = MAX_OF(most, weigh(field, n, type));
                field += n;
                if (*field == ',')
                        field++;
        }
        return most;
}

bool accept_prefers_html(const char *field) {
        unsigned html = field ? wanted(field, "text/html") : 0;

        return html > 0 && html >= wanted(field, "application/json");
}
