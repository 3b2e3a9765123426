/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"

char **strv_free(char **list) {
        for (char **s = list; s && *s; s++)
                free(*s);
        free(list);
        return NULL;
}

size_t strv_length(char *const *list) {
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

bool strv_contains(char *const *list, const char *s) {
        STRV_FOREACH(i, list)
                if (str_equal(*i, s))
                        return true;
        return false;
}

bool strv_equal(char *const *a, char *const *b) {
        size_t n = strv_length(a);

        if (n != strv_length(b))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!str_equal(a[i], b[i]))
                        return false;
        return true;
}

int strv_consume(char ***list, char *s) {
        _auto_free_ char *owned = s;
        size_t n;
        char **grown;

        assert(list);

        if (!s)
                return -ENOMEM;
        n = strv_length(*list);
        grown = reallocarray(*list, n + 2, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        grown[n] = take_ptr(owned);
        grown[n + 1] = NULL;
        *list = grown;
        return 0;
}

int strv_extend(char ***list, const char *s) {
        assert(s);

        return strv_consume(list, strdup(s));
}

bool strv_remove(char **list, const char *s) {
        char **kept = list;
        bool found;

        if (!list)
                return false;
        for (char **p = list; *p; p++)
                if (str_equal(*p, s))
                        free(*p);
                else
                        *kept++ = *p;
        found = *kept;
        *kept = NULL;
        return found;
}

char **strv_copy(char *const *list) {
        _auto_strv_ char **copy = NULL;
        size_t n = strv_length(list);

        copy = calloc(n + 1, sizeof(*copy));
        if (!copy)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                copy[i] = strdup(list[i]);
                if (!copy[i])
                        return NULL;
        }
        return take_ptr(copy);
}

char **strv_split(const char *s, const char *separators) {
        _auto_strv_ char **list = NULL;

        assert(s);
        assert(separators);

        list = calloc(1, sizeof(*list));
        if (!list)
                return NULL;
        for (s += strspn(s, separators); *s; s += strspn(s, separators)) {
                size_t length = strcspn(s, separators);

                if (strv_consume(&list, strndup(s, length)) < 0)
                        return NULL;
                s += length;
        }
        return take_ptr(list);
}

char *strv_join(char *const *list, const char *separator) {
        size_t size = 1, separator_length;
        char *joined, *end;

        assert(separator);

        separator_length = strlen(separator);
        STRV_FOREACH(s, list)
                size += strlen(*s) + separator_length;

        joined = malloc(size);
        if (!joined)
                return NULL;
        end = joined;
        STRV_FOREACH(s, list) {
                if (s != list)
                        end = stpcpy(end, separator);
                end = stpcpy(end, *s);
        }
        *end = '\0';
        return joined;
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

void strv_sort(char **list) {
        if (list)
                qsort(list, strv_length(list), sizeof(*list), compare);
}
