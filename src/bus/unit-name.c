/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/unit-name.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"

#define LONGEST_SUFFIX ".service"

static bool is_alphanumeric(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_literal(char c) {
        return is_alphanumeric(c) || c == ':' || c == '_' || c == '.';
}

static char *append_escape(char *p, char c) {
        static const char digits[] = "0123456789abcdef";
        unsigned char u = (unsigned char) c;

        *p++ = '\\';
        *p++ = 'x';
        *p++ = digits[u >> 4];
        *p++ = digits[u & 15];
        return p;
}

char *unit_name_escape(const char *s) {
        char *escaped, *p;

        assert(s);

        p = escaped = malloc(strlen(s) * 4 + 1);
        if (!escaped)
                return NULL;

        for (const char *c = s; *c; c++)
                if (*c == '/')
                        *p++ = '-';
                else if (is_literal(*c) && !(c == s && *c == '.'))
                        *p++ = *c;
                else
                        p = append_escape(p, *c);
        *p = '\0';

        return escaped;
}

/* FNV-1a: nobody gains from a collision but the administrator who configured both names, and then one unit stands for two domains. */
static uint64_t hash(const char *s) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (; *s; s++)
                h = (h ^ (unsigned char) *s) * UINT64_C(0x100000001b3);
        return h;
}

/* 'others' is how long the rest of the unit's name is. */
static char *escape_to_fit(const char *s, size_t others) {
        _auto_free_ char *escaped = NULL;

        escaped = unit_name_escape(s);
        if (!escaped)
                return NULL;
        if (strlen(escaped) + others <= UNIT_NAME_LENGTH_MAX)
                return take_ptr(escaped);

        return str_printf(":%016" PRIx64, hash(s));
}

char *unit_name_for_renewal(const char *domain, const char *suffix) {
        _auto_free_ char *instance = NULL;

        assert(domain);
        assert(suffix);

        instance = escape_to_fit(domain, strlen(UNIT_RENEW_PREFIX LONGEST_SUFFIX));
        if (!instance)
                return NULL;
        return str_printf(UNIT_RENEW_PREFIX "%s%s", instance, suffix);
}

char *unit_name_for_hook(const char *event, const char *domain, uint64_t number) {
        _auto_free_ char *name = NULL;

        assert(event);
        assert(domain);

        /* two hyphens and at most 20 digits */
        name = escape_to_fit(domain, strlen(UNIT_HOOK_PREFIX) + strlen(event) + 22 + strlen(LONGEST_SUFFIX));
        if (!name)
                return NULL;
        return str_printf(UNIT_HOOK_PREFIX "%s-%s-%" PRIu64 LONGEST_SUFFIX, event, name, number);
}

bool unit_name_is_renewal_of(const char *unit, const char *domain, const char *suffix) {
        _auto_free_ char *name = NULL;

        if (!unit || !domain)
                return false;

        name = unit_name_for_renewal(domain, suffix);
        return str_equal(name, unit);
}

static bool has_known_suffix(const char *dot) {
        static const char *const suffixes[] = {
                ".service", ".timer", ".socket", ".target", ".path", ".slice", ".scope", ".mount", ".automount", ".swap", ".device",
        };

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
                if (str_equal(dot, suffixes[i]))
                        return true;
        return false;
}

bool unit_name_is_valid(const char *unit) {
        const char *dot, *at;

        if (!unit || strlen(unit) > UNIT_NAME_LENGTH_MAX)
                return false;

        dot = strrchr(unit, '.');
        if (!dot || dot == unit || !has_known_suffix(dot))
                return false;

        for (const char *c = unit; c < dot; c++)
                if (!is_literal(*c) && *c != '-' && *c != '\\' && *c != '@')
                        return false;

        at = strchr(unit, '@');
        return !at || (at != unit && at + 1 != dot);
}
