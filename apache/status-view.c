/* SPDX-License-Identifier: Apache-2.0 */
#include "status-view.h"

#include <stdlib.h>

#include "apr_lib.h"
#include "apr_strings.h"

#include "base/string-util.h"

enum {
        WORDS_MAX = 253,
        PAGES_MAX = 100000,
};

static const char *const shows[_STATUS_SHOW_MAX] = {
        [STATUS_SHOW_ALL] = "all",
        [STATUS_SHOW_ATTENTION] = "attention",
        [STATUS_SHOW_PROGRESS] = "progress",
        [STATUS_SHOW_GOOD] = "good",
};

static const char *const sorts[_STATUS_SORT_MAX] = {
        [STATUS_SORT_ATTENTION] = "attention",
        [STATUS_SORT_NAME] = "name",
        [STATUS_SORT_EXPIRY] = "expiry",
        [STATUS_SORT_NEXT] = "next",
};

const char *status_show_to_string(StatusShow show) {
        return shows[show];
}

const char *status_sort_to_string(StatusSort sort) {
        return sorts[sort];
}

static int find(const char *const *table, int n, const char *word) {
        for (int i = 0; i < n; i++)
                if (str_equal(table[i], word))
                        return i;
        return 0;
}

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        c = (char) apr_tolower(c);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* application/x-www-form-urlencoded, in place. What is no code stays as it is; control bytes become blanks. */
static void decode(char *s) {
        char *to = s;

        for (; *s; s++) {
                char c = *s == '+' ? ' ' : *s;

                if (*s == '%' && hex_value(s[1]) >= 0 && hex_value(s[2]) >= 0) {
                        c = (char) (hex_value(s[1]) * 16 + hex_value(s[2]));
                        s += 2;
                }
                *to++ = (unsigned char) c < ' ' || c == 0x7f ? ' ' : c;
        }
        *to = '\0';
}

/* Without blanks around, and no longer than any name can be. */
static const char *words_of(char *value) {
        size_t n;

        while (*value == ' ')
                value++;
        n = strlen(value);
        while (n > 0 && value[n - 1] == ' ')
                value[--n] = '\0';
        if (n > WORDS_MAX)
                value[WORDS_MAX] = '\0';
        str_to_lower(value);
        return value;
}

void status_view_parse(apr_pool_t *p, const char *args, StatusView *ret) {
        char *copy = apr_pstrdup(p, str_or(args, "")), *rest = NULL;

        *ret = (StatusView){ .words = "", .page = 1 };
        for (char *part = apr_strtok(copy, "&", &rest); part; part = apr_strtok(NULL, "&", &rest)) {
                char *value = strchr(part, '=');

                if (!value)
                        continue;
                *value++ = '\0';
                decode(value);
                if (str_equal(part, "show"))
                        ret->show = (StatusShow) find(shows, _STATUS_SHOW_MAX, value);
                else if (str_equal(part, "sort"))
                        ret->sort = (StatusSort) find(sorts, _STATUS_SORT_MAX, value);
                else if (str_equal(part, "q"))
                        ret->words = words_of(value);
                else if (str_equal(part, "page"))
                        ret->page = (unsigned) MAX_OF(1L, MIN_OF(strtol(value, NULL, 10), (long) PAGES_MAX));
        }
}

StatusShow status_show_of(const StatusFacts *f) {
        if (status_condition_is_bad(f->condition))
                return STATUS_SHOW_ATTENTION;
        return f->condition == STATUS_GOOD ? STATUS_SHOW_GOOD : STATUS_SHOW_PROGRESS;
}

const char *status_view_names(apr_pool_t *p, const StatusFacts *f) {
        JsonObject *list = json_get_array(f->json, "domains");
        apr_array_header_t *names = apr_array_make(p, 4, sizeof(const char *));
        char *text;

        APR_ARRAY_PUSH(names, const char *) = f->name;
        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                const char *name = json_object_get_string(json_object_array_get_idx(list, i));

                if (name && !str_equal(name, f->name))
                        APR_ARRAY_PUSH(names, const char *) = name;
        }
        text = apr_array_pstrcat(p, names, ' ');
        str_to_lower(text);
        return text;
}

static bool is_shown(apr_pool_t *p, const StatusView *view, const StatusFacts *f) {
        if (view->show != STATUS_SHOW_ALL && status_show_of(f) != view->show)
                return false;
        return !*view->words || strstr(status_view_names(p, f), view->words);
}

static int compare_names(const void *a, const void *b) {
        const StatusFacts *x = a, *y = b;

        return strcmp(x->name, y->name);
}

/* What has no time comes last. */
static int compare_times(uint64_t a, uint64_t b) {
        return a - 1 < b - 1 ? -1 : a != b;
}

static int compare_attention(const void *a, const void *b) {
        const StatusFacts *x = a, *y = b;
        int r = x->condition < y->condition ? -1 : x->condition != y->condition;

        if (r == 0)
                r = compare_times(x->until_usec, y->until_usec);
        return r != 0 ? r : compare_names(a, b);
}

static int compare_expiry(const void *a, const void *b) {
        const StatusFacts *x = a, *y = b;
        int r = compare_times(x->until_usec, y->until_usec);

        return r != 0 ? r : compare_names(a, b);
}

static int compare_next(const void *a, const void *b) {
        const StatusFacts *x = a, *y = b;
        int r = compare_times(x->next_usec, y->next_usec);

        return r != 0 ? r : compare_names(a, b);
}

apr_array_header_t *status_view_apply(apr_pool_t *p, const StatusView *view, const apr_array_header_t *all) {
        static int (*const compare[])(const void *a, const void *b) = {
                [STATUS_SORT_ATTENTION] = compare_attention,
                [STATUS_SORT_NAME] = compare_names,
                [STATUS_SORT_EXPIRY] = compare_expiry,
                [STATUS_SORT_NEXT] = compare_next,
        };
        apr_array_header_t *shown = apr_array_make(p, all->nelts > 0 ? all->nelts : 1, sizeof(StatusFacts));

        for (int i = 0; i < all->nelts; i++)
                if (is_shown(p, view, &APR_ARRAY_IDX(all, i, StatusFacts)))
                        APR_ARRAY_PUSH(shown, StatusFacts) = APR_ARRAY_IDX(all, i, StatusFacts);
        qsort(shown->elts, (size_t) shown->nelts, sizeof(StatusFacts), compare[view->sort]);
        return shown;
}
