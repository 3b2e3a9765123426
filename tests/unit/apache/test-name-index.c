/* SPDX-License-Identifier: Apache-2.0 */
#include "name-index.h"

#include "apr_general.h"

#include "base/macro.h"
#include "base/strv.h"
#include "lib/test.h"

static apr_pool_t *pool_new(void) {
        apr_pool_t *p = NULL;

        (void) apr_initialize();
        (void) apr_pool_create(&p, NULL);
        return p;
}

static ManagedDomain *add(NameIndex *index, apr_array_header_t *domains, const char *first, const char *second) {
        ManagedDomain *d = managed_domain_new(first);

        (void) managed_domain_add_name(d, second);
        STRV_FOREACH(name, d->names)
                name_index_add(index, *name, d);
        APR_ARRAY_PUSH(domains, ManagedDomain *) = d;
        return d;
}

TEST(names) {
        apr_pool_t *p = pool_new();
        NameIndex *index = name_index_new(p);
        apr_array_header_t *domains = apr_array_make(p, 2, sizeof(ManagedDomain *));
        ManagedDomain *a = add(index, domains, "a.org", "*.a.org"), *b = add(index, domains, "b.org", "a.org");

        CHECK(name_index_find(index, "a.org")->domain == a);
        CHECK(name_entries_have(name_index_find(index, "a.org"), b));
        CHECK(!name_entries_have(name_index_find(index, "b.org"), a));
        CHECK(!name_index_find(index, "c.org"));
        CHECK(name_index_find_wildcard(index, "x.a.org")->domain == a);
        CHECK(!name_index_find_wildcard(index, "x.y.a.org"));
        CHECK(!name_index_find_wildcard(index, "localhost"));
        CHECK(name_index_find_covered(index, "*.org")->domain == a);
        CHECK(!name_index_find_covered(index, "*.b.org"));
        CHECK(!name_index_find_covered(index, "org"));
        (void) managed_domain_free(a);
        (void) managed_domain_free(b);
        apr_pool_destroy(p);
}

TEST(patterns) {
        static const struct {
                const char *pattern;
                int met;
        } cases[] = {
                { "*.a.org", 1 }, { "*a.org", 2 }, { "?.org", 2 }, { "*", 4 }, { "x.*", 1 }, { "*.net", 0 }, { "*.*.*", 1 }, { "??.org", 1 },
        };
        apr_pool_t *p = pool_new();
        NameIndex *index = name_index_new(p);
        apr_array_header_t *domains = apr_array_make(p, 2, sizeof(ManagedDomain *));
        ManagedDomain *a = add(index, domains, "a.org", "x.a.org"), *b = add(index, domains, "b.org", "bb.org");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].pattern);
                CHECK_INT(name_index_meet(index, domains, cases[i].pattern)->nelts, cases[i].met);
        }
        (void) managed_domain_free(a);
        (void) managed_domain_free(b);
        apr_pool_destroy(p);
}
