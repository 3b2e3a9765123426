/* SPDX-License-Identifier: Apache-2.0 */
#include "status-view.h"

#include <stdio.h>
#include <string.h>

#include "apr_general.h"
#include "apr_strings.h"

#include "base/clock.h"
#include "lib/test.h"

#define NOW (UINT64_C(1795404600) * USEC_PER_SEC)

static apr_pool_t *pool_new(void) {
        apr_pool_t *p = NULL;

        (void) apr_initialize();
        (void) apr_pool_create(&p, NULL);
        return p;
}

TEST(query) {
        static const struct {
                const char *args;
                StatusShow show;
                StatusSort sort;
                const char *words;
                unsigned page;
        } cases[] = {
                { NULL, STATUS_SHOW_ALL, STATUS_SORT_ATTENTION, "", 1 },
                { "", STATUS_SHOW_ALL, STATUS_SORT_ATTENTION, "", 1 },
                { "q=WWW.Example&show=good&sort=expiry&page=3", STATUS_SHOW_GOOD, STATUS_SORT_EXPIRY, "www.example", 3 },
                { "q=+a%20b%2E+&x=y", STATUS_SHOW_ALL, STATUS_SORT_ATTENTION, "a b.", 1 },
                { "q=%zz%4", STATUS_SHOW_ALL, STATUS_SORT_ATTENTION, "%zz%4", 1 },
                { "q=a%00b%0a", STATUS_SHOW_ALL, STATUS_SORT_ATTENTION, "a b", 1 },
                { "show=bogus&sort=&page=0", STATUS_SHOW_ALL, STATUS_SORT_ATTENTION, "", 1 },
                { "page=-7", STATUS_SHOW_ALL, STATUS_SORT_ATTENTION, "", 1 },
                { "page=99999999999999999999999", STATUS_SHOW_ALL, STATUS_SORT_ATTENTION, "", 100000 },
                { "&&&=&q", STATUS_SHOW_ALL, STATUS_SORT_ATTENTION, "", 1 },
                { "show=attention&show=progress", STATUS_SHOW_PROGRESS, STATUS_SORT_ATTENTION, "", 1 },
        };
        apr_pool_t *p = pool_new();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                StatusView v;

                test_case("%s", cases[i].args ? cases[i].args : "(none)");
                status_view_parse(p, cases[i].args, &v);
                CHECK_INT(v.show, cases[i].show);
                CHECK_INT(v.sort, cases[i].sort);
                CHECK_STR(v.words, cases[i].words);
                CHECK_UINT(v.page, cases[i].page);
        }
        apr_pool_destroy(p);
}

static void add(apr_array_header_t *all, const char *text) {
        JsonObject *o = NULL;

        if (!CHECK_INT(json_parse(text, strlen(text), &o, NULL), 0))
                return;
        status_facts_read(o, NULL, NOW, apr_array_push(all));
}

static const char *names(apr_pool_t *p, const apr_array_header_t *all, const char *args) {
        apr_array_header_t *shown;
        const char *text = "";
        StatusView v;

        status_view_parse(p, args, &v);
        shown = status_view_apply(p, &v, all);
        for (int i = 0; i < shown->nelts; i++)
                text = apr_pstrcat(p, text, i > 0 ? " " : "", APR_ARRAY_IDX(shown, i, StatusFacts).name, NULL);
        return text;
}

#define VALID(until) "\"cert\":{\"valid\":{\"from\":\"Mon, 12 Oct 2026 00:00:00 GMT\",\"until\":\"" until "\"}}"

TEST(apply) {
        apr_pool_t *p = pool_new();
        apr_array_header_t *all = apr_array_make(p, 8, sizeof(StatusFacts));

        add(all, "{\"name\":\"a.org\",\"domains\":[\"a.org\",\"www.a.org\",7],\"state\":2," VALID("Wed, 10 Feb 2027 00:00:00 GMT") ",\"next\":{\"action\":\"wait\",\"at\":\"Mon, 11 Jan 2027 00:00:00 GMT\"}}");
        add(all, "{\"name\":\"b.org\",\"state\":2," VALID("Sun, 10 Jan 2027 00:00:00 GMT") ",\"next\":{\"action\":\"wait\",\"at\":\"Thu, 10 Dec 2026 00:00:00 GMT\"}}");
        add(all, "{\"name\":\"c.org\",\"state\":2," VALID("Sun, 22 Nov 2026 00:00:00 GMT") "}");
        add(all, "{\"name\":\"d.org\",\"state\":1,\"next\":{\"action\":\"renewing\"}}");
        add(all, "{\"name\":\"e.org\",\"state\":1,\"renewal\":{\"errors\":2}}");
        add(all, "{}");

        CHECK_STR(names(p, all, NULL), "c.org e.org  d.org b.org a.org");
        CHECK_STR(names(p, all, "sort=expiry&show=good"), "b.org a.org");
        CHECK_STR(names(p, all, "sort=expiry"), "c.org b.org a.org  d.org e.org");
        CHECK_STR(names(p, all, "sort=next"), "b.org a.org  c.org d.org e.org");
        CHECK_STR(names(p, all, "sort=name&show=attention"), "c.org e.org");
        CHECK_STR(names(p, all, "show=progress"), " d.org");
        CHECK_STR(names(p, all, "q=WWW.A"), "a.org");
        CHECK_STR(names(p, all, "q=7"), "a.org");
        CHECK_STR(names(p, all, "q=nowhere"), "");
        for (int i = 0; i < all->nelts; i++)
                (void) json_object_put(APR_ARRAY_IDX(all, i, StatusFacts).json);
        apr_pool_destroy(p);
}
