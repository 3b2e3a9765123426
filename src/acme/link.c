/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/link.h"

#include <errno.h>
#include <string.h>

#include "acme/url.h"
#include "base/cleanup.h"
#include "base/string-util.h"

#define BLANKS " \t"
#define NAME_END BLANKS "=;,\""

/* One link of a field while it is read. */
typedef struct Link {
        const char *target;
        size_t target_size;
        bool has_relation; /* the one that is looked for */
        bool has_rel;      /* the first "rel" counts */
        bool elsewhere;    /* it is not about what it came with */
} Link;

static const char *skip_blanks(const char *s) {
        return s + strspn(s, BLANKS);
}

/* The value of a parameter without its quotes; what is escaped inside is not looked at any closer, because no relation has anything to escape. */
static const char *read_value(const char *s, const char **ret_value, size_t *ret_size) {
        if (*s != '"') {
                *ret_value = s;
                *ret_size = strcspn(s, BLANKS ";,");
                return s + *ret_size;
        }
        *ret_value = ++s;
        for (; *s != '"'; s++) {
                if (*s == '\\' && s[1] != '\0')
                        s++;
                if (*s == '\0')
                        return NULL;
        }
        *ret_size = (size_t) (s - *ret_value);
        return s + 1;
}

static bool is_word(const char *s, size_t size, const char *word) {
        return size == strlen(word) && strncasecmp(s, word, size) == 0;
}

static bool has_word(const char *s, size_t size, const char *word) {
        const char *end = s + size;

        while (s < end) {
                size_t n = strcspn(s, BLANKS "\"");

                n = MIN_OF(n, (size_t) (end - s));
                if (is_word(s, n, word))
                        return true;
                s += n + 1;
        }
        return false;
}

/* "; name=value", one after the other. NULL: this is no link. */
static const char *read_parameters(const char *s, const char *relation, Link *link) {
        for (s = skip_blanks(s); *s == ';'; s = skip_blanks(s)) {
                const char *name, *value = "";
                size_t name_size, size = 0;

                name = s = skip_blanks(s + 1);
                name_size = strcspn(s, NAME_END);
                s = skip_blanks(s + name_size);
                if (*s == '=') {
                        s = read_value(skip_blanks(s + 1), &value, &size);
                        if (!s)
                                return NULL;
                }
                if (is_word(name, name_size, "anchor"))
                        link->elsewhere = true;
                if (is_word(name, name_size, "rel") && !link->has_rel) {
                        link->has_rel = true;
                        link->has_relation = has_word(value, size, relation);
                }
        }
        return *s == ',' || *s == '\0' ? s : NULL;
}

/* "<target>; parameters". NULL: this is no link. */
static const char *read_link(const char *s, const char *relation, Link *ret) {
        *ret = (Link){ .target = s + 1 };
        if (*s != '<')
                return NULL;
        ret->target_size = strcspn(ret->target, ">");
        if (ret->target[ret->target_size] == '\0')
                return NULL;
        return read_parameters(ret->target + ret->target_size + 1, relation, ret);
}

static int add_target(const Link *link, const char *base, char ***list) {
        _auto_free_ char *reference = strndup(link->target, link->target_size), *url = NULL;
        int r;

        if (!reference)
                return -ENOMEM;
        r = acme_url_resolve(base, reference, &url);
        if (r == -EINVAL || (r == 0 && strv_contains(*list, url)))
                return 0;
        return r < 0 ? r : strv_consume(list, take_ptr(url));
}

int acme_link_targets(char *const *fields, const char *relation, const char *base, size_t max, char ***ret) {
        _auto_strv_ char **list = NULL;

        assert(relation);
        assert(ret);

        STRV_FOREACH(field, fields) {
                const char *s = skip_blanks(*field);

                while (*s) {
                        Link link;
                        int r;

                        s = read_link(s, relation, &link);
                        if (!s)
                                break; /* where the next one begins is anybody's guess */
                        if (link.has_relation && !link.elsewhere && strv_length(list) < max) {
                                r = add_target(&link, base, &list);
                                if (r < 0)
                                        return r;
                        }
                        s += strspn(s, BLANKS ",");
                }
        }
        *ret = take_ptr(list);
        return 0;
}
