/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/name.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"

enum {
        NAME_MAX_LENGTH = 253,
        LABEL_MAX_LENGTH = 63,
        PATTERNS_LINEAR_MAX = 8, /* below, looking at all of them is quicker than sorting */
};

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_letter_or_digit(char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z');
}

/* Checks the label at 's', up to a dot or the end. 0: it is none. */
static size_t label_length(const char *s, bool *ret_all_digits) {
        bool all_digits = true;
        size_t n = 0;

        for (; s[n] && s[n] != '.'; n++) {
                if (!is_letter_or_digit(s[n]) && s[n] != '-')
                        return 0;
                if (!is_digit(s[n]))
                        all_digits = false;
        }
        if (n == 0 || n > LABEL_MAX_LENGTH || s[0] == '-' || s[n - 1] == '-')
                return 0;
        *ret_all_digits = all_digits;
        return n;
}

bool domain_name_is_valid(const char *name) {
        bool all_digits;
        const char *s;

        if (!name || strnlen(name, NAME_MAX_LENGTH + 1) > NAME_MAX_LENGTH)
                return false;

        for (s = domain_name_is_wildcard(name) ? name + 2 : name;; s++) {
                size_t n = label_length(s, &all_digits);

                if (n == 0)
                        return false;
                s += n;
                if (!*s)
                        return !all_digits; /* else it is, or looks like, an IPv4 address */
        }
}

bool domain_name_is_wildcard(const char *name) {
        return name && name[0] == '*' && name[1] == '.';
}

/* The one form of an address; false: it is none. */
static bool format_address(const char *name, char ret[static INET6_ADDRSTRLEN]) {
        struct in6_addr six;
        struct in_addr four;

        if (inet_pton(AF_INET, name, &four) == 1)
                return inet_ntop(AF_INET, &four, ret, INET6_ADDRSTRLEN);
        return inet_pton(AF_INET6, name, &six) == 1 && inet_ntop(AF_INET6, &six, ret, INET6_ADDRSTRLEN);
}

bool domain_name_is_address(const char *name) {
        char address[INET6_ADDRSTRLEN];

        return name && format_address(name, address) && str_equal(name, address);
}

bool domain_identifier_is_valid(const char *name) {
        return domain_name_is_valid(name) || domain_name_is_address(name);
}

char *domain_name_normalize(const char *name) {
        char address[INET6_ADDRSTRLEN];
        size_t n;
        char *s;

        assert(name);

        if (format_address(name, address))
                return strdup(address);
        n = strlen(name);
        if (n > 0 && name[n - 1] == '.')
                n--;
        s = strndup(name, n);
        if (s)
                str_to_lower(s);
        return s;
}

bool domain_name_covers(const char *pattern, const char *name) {
        const char *rest;

        assert(pattern);
        assert(name);

        if (str_equal(pattern, name))
                return true;
        if (!domain_name_is_wildcard(pattern))
                return false;
        rest = strchr(name, '.');
        return rest && rest > name && str_equal(pattern + 1, rest);
}

bool domain_names_cover(char *const *patterns, const char *name) {
        STRV_FOREACH(p, patterns)
                if (domain_name_covers(*p, name))
                        return true;
        return false;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static bool sorted_contains(char *const *sorted, size_t n, const char *name) {
        return bsearch(&name, sorted, n, sizeof(*sorted), compare_names);
}

static bool sorted_cover(char *const *sorted, size_t n, const char *name) {
        char wildcard[NAME_MAX_LENGTH + 2];
        const char *rest;
        size_t length;

        if (sorted_contains(sorted, n, name))
                return true;
        rest = strchr(name, '.');
        length = rest ? strlen(rest) : 0;
        if (!rest || rest == name || length + 2 > sizeof(wildcard))
                return false;
        wildcard[0] = '*';
        memcpy(wildcard + 1, rest, length + 1);
        return sorted_contains(sorted, n, wildcard);
}

int domain_names_uncovered(char *const *patterns, char *const *names, const char **ret_first, size_t *ret_count) {
        _auto_free_ char **sorted = NULL;
        const char *first = NULL;
        size_t n = strv_length(patterns), count = 0;

        assert(ret_first);
        assert(ret_count);

        if (n > PATTERNS_LINEAR_MAX) {
                sorted = calloc(n, sizeof(*sorted));
                if (!sorted)
                        return -ENOMEM;
                memcpy(sorted, patterns, n * sizeof(*sorted));
                qsort(sorted, n, sizeof(*sorted), compare_names);
        }

        STRV_FOREACH(name, names) {
                if (sorted ? sorted_cover(sorted, n, *name) : domain_names_cover(patterns, *name))
                        continue;
                if (count++ == 0)
                        first = *name;
        }
        *ret_first = first;
        *ret_count = count;
        return 0;
}

/* Sorted, those of the names that are wildcards; borrowed. */
static char **pick_wildcards(char *const *names, size_t *ret_n) {
        char **list = calloc(strv_length(names) + 1, sizeof(*list));
        size_t n = 0;

        if (!list)
                return NULL;
        STRV_FOREACH(name, names)
                if (domain_name_is_wildcard(*name))
                        list[n++] = *name;
        qsort(list, n, sizeof(*list), compare_names);
        *ret_n = n;
        return list;
}

int domain_names_without_covered(char *const *names, char ***ret) {
        _auto_free_ char **wildcards = NULL;
        _auto_strv_ char **list = NULL;
        size_t n_wildcards = 0, n = 0;

        assert(ret);

        wildcards = pick_wildcards(names, &n_wildcards);
        list = calloc(strv_length(names) + 1, sizeof(*list));
        if (!wildcards || !list)
                return -ENOMEM;
        STRV_FOREACH(name, names) {
                if (!domain_name_is_wildcard(*name) && sorted_cover(wildcards, n_wildcards, *name))
                        continue;
                list[n] = strdup(*name);
                if (!list[n++])
                        return -ENOMEM;
        }
        *ret = take_ptr(list);
        return 0;
}
