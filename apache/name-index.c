/* SPDX-License-Identifier: Apache-2.0 */
#include "name-index.h"

#include <stdio.h>
#include <string.h>

#include "apr_hash.h"
#include "apr_strings.h"

#include "base/strv.h"
#include "domain/name.h"

enum {
        NAME_MAX_SIZE = 256, /* longer ones are no names */
};

struct NameIndex {
        apr_pool_t *pool;
        apr_hash_t *by_name;   /* name → NameEntry, the first domain of the configuration first */
        apr_hash_t *by_parent; /* what stands behind the first dot → NameEntry, the first that came */
        apr_hash_t *by_suffix; /* every suffix of whole labels, and "" → array of NameEntry *; made when the first pattern is met */
};

static const char *parent_of(const char *name) {
        const char *dot = strchr(name, '.');

        return dot ? dot + 1 : NULL;
}

NameIndex *name_index_new(apr_pool_t *p) {
        NameIndex *index = apr_pcalloc(p, sizeof(*index));

        index->pool = p;
        index->by_name = apr_hash_make(p);
        index->by_parent = apr_hash_make(p);
        return index;
}

void name_index_add(NameIndex *index, const char *name, ManagedDomain *d) {
        NameEntry *e = apr_pcalloc(index->pool, sizeof(*e)), *first = name_index_find(index, name);
        const char *parent = parent_of(name);

        e->name = name;
        e->domain = d;
        if (first) {
                while (first->next)
                        first = first->next;
                first->next = e;
        } else
                apr_hash_set(index->by_name, name, APR_HASH_KEY_STRING, e);

        if (parent && !d->refused && !domain_name_is_wildcard(name) && !apr_hash_get(index->by_parent, parent, APR_HASH_KEY_STRING))
                apr_hash_set(index->by_parent, parent, APR_HASH_KEY_STRING, e);
}

NameEntry *name_index_find(const NameIndex *index, const char *name) {
        return apr_hash_get(index->by_name, name, APR_HASH_KEY_STRING);
}

NameEntry *name_index_find_wildcard(const NameIndex *index, const char *name) {
        const char *parent = parent_of(name);
        char wildcard[NAME_MAX_SIZE];

        if (!parent || snprintf(wildcard, sizeof(wildcard), "*.%s", parent) >= (int) sizeof(wildcard))
                return NULL;
        return name_index_find(index, wildcard);
}

NameEntry *name_index_find_covered(const NameIndex *index, const char *wildcard) {
        return domain_name_is_wildcard(wildcard) ? apr_hash_get(index->by_parent, parent_of(wildcard), APR_HASH_KEY_STRING) : NULL;
}

bool name_entries_have(const NameEntry *e, const ManagedDomain *d) {
        for (; e; e = e->next)
                if (e->domain == d)
                        return true;
        return false;
}

/* Patterns */

static void suffix_add(NameIndex *index, const char *suffix, NameEntry *e) {
        apr_array_header_t *bucket = apr_hash_get(index->by_suffix, suffix, APR_HASH_KEY_STRING);

        if (!bucket) {
                bucket = apr_array_make(index->pool, 4, sizeof(NameEntry *));
                apr_hash_set(index->by_suffix, suffix, APR_HASH_KEY_STRING, bucket);
        }
        APR_ARRAY_PUSH(bucket, NameEntry *) = e;
}

/* In the order of the configuration, because the first domain that a pattern meets may be the one that is served. */
static void index_suffixes(NameIndex *index, const apr_array_header_t *domains) {
        index->by_suffix = apr_hash_make(index->pool);
        for (int i = 0; i < domains->nelts; i++) {
                const ManagedDomain *d = APR_ARRAY_IDX(domains, i, const ManagedDomain *);

                STRV_FOREACH(name, d->names) {
                        NameEntry *e = name_index_find(index, *name);

                        if (e->domain != d)
                                continue; /* came with an earlier domain */
                        for (const char *s = parent_of(e->name); s; s = parent_of(s))
                                suffix_add(index, s, e);
                        suffix_add(index, "", e);
                }
        }
}

/* The labels at the end that hold no wildcard: only names below them can match. */
static const char *fixed_suffix(const char *pattern) {
        const char *last = pattern, *dot;

        for (const char *c = pattern; *c; c++)
                if (*c == '*' || *c == '?')
                        last = c;
        dot = strchr(last, '.');
        return dot ? dot + 1 : "";
}

/* '*' stands for any number of characters, '?' for one. */
static bool pattern_matches(const char *pattern, const char *name) {
        const char *star = NULL, *resume = NULL;

        while (*name) {
                if (*pattern == '*') {
                        star = pattern++;
                        resume = name;
                } else if (*pattern == '?' || *pattern == *name) {
                        pattern++;
                        name++;
                } else if (star) {
                        pattern = star + 1;
                        name = ++resume;
                } else
                        return false;
        }
        while (*pattern == '*')
                pattern++;
        return *pattern == '\0';
}

const apr_array_header_t *name_index_meet(NameIndex *index, const apr_array_header_t *domains, const char *pattern) {
        apr_array_header_t *met = apr_array_make(index->pool, 1, sizeof(NameEntry *));
        const apr_array_header_t *bucket;

        if (!index->by_suffix)
                index_suffixes(index, domains);

        bucket = apr_hash_get(index->by_suffix, fixed_suffix(pattern), APR_HASH_KEY_STRING);
        for (int i = 0; bucket && i < bucket->nelts; i++) {
                NameEntry *e = APR_ARRAY_IDX(bucket, i, NameEntry *);

                if (pattern_matches(pattern, e->name))
                        APR_ARRAY_PUSH(met, NameEntry *) = e;
        }
        return met;
}
