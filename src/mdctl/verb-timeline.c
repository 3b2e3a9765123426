/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl timeline: when each domain is renewed and expires; drawn on a terminal, and a list in order of time elsewhere. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "mdctl/client.h"
#include "mdctl/domain-text.h"
#include "mdctl/format.h"
#include "mdctl/timeline.h"

static const Column columns[] = { { "WHEN" }, { "DOMAIN" }, { "WHAT" } };

static bool is_now(JsonObject *domain) {
        const char *action = get_text(domain, "Action");

        return str_equal(action, "renew") || str_equal(action, "renewing");
}

/* When it is renewed; 0: nobody knows. */
static uint64_t renewal_of(JsonObject *domain) {
        return str_equal(get_text(domain, "Action"), "wait") ? get_number(domain, "NextUSec") : 0;
}

static TimelineRow row_of(JsonObject *domain) {
        return (TimelineRow){ get_text(domain, "Name"), renewal_of(domain), get_number(domain, "ValidUntilUSec"), is_now(domain) };
}

/* What comes first stands on top; who has nothing, at the end. */
static int by_expiry(const void *a, const void *b) {
        const TimelineRow *x = a, *y = b;
        uint64_t s = x->expire_usec - 1, t = y->expire_usec - 1;

        return s < t ? -1 : s > t ? 1 : strcmp(x->name, y->name);
}

static int draw(const Mdctl *c, JsonObject *domains) {
        size_t n = json_object_array_length(domains);
        _auto_free_ TimelineRow *rows = calloc(n + 1, sizeof(*rows));

        if (!rows)
                return mdctl_oom();
        for (size_t i = 0; i < n; i++)
                rows[i] = row_of(json_object_array_get_idx(domains, i));
        qsort(rows, n, sizeof(*rows), by_expiry);
        timeline_draw(rows, n, clock_now_usec(), format_width(), !c->no_legend);
        return MDCTL_DONE;
}

static int add(JsonObject *list, JsonObject *domain, uint64_t when, const char *what) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (when == 0)
                return 0;
        if (!o || json_add_uint(o, "WhenUSec", when) < 0 || json_add_string(o, "Domain", get_text(domain, "Name")) < 0 || json_add_string(o, "What", what) < 0)
                return -ENOMEM;
        return json_object_array_add(list, take_ptr(o)) < 0 ? -ENOMEM : 0;
}

static int by_time(const void *a, const void *b) {
        uint64_t x = get_number(*(JsonObject *const *) a, "WhenUSec"), y = get_number(*(JsonObject *const *) b, "WhenUSec");

        return x < y ? -1 : x > y;
}

/* All in order of time. NULL: out of memory. */
static JsonObject *list_all(JsonObject *domains) {
        _auto_json_ JsonObject *list = json_object_new_array();

        for (size_t i = 0; list && i < json_object_array_length(domains); i++) {
                JsonObject *domain = json_object_array_get_idx(domains, i);

                if (add(list, domain, is_now(domain) ? clock_now_usec() : renewal_of(domain), is_now(domain) ? "renew" : domain_text_next(domain)) < 0 ||
                    add(list, domain, get_number(domain, "ValidUntilUSec"), "expires") < 0)
                        return NULL;
        }
        if (list)
                json_object_array_sort(list, by_time);
        return take_ptr(list);
}

static int print(const Mdctl *c, JsonObject *list) {
        _cleanup_(table_freep) Table *t = table_new(columns, ELEMENTSOF(columns));

        if (!t)
                return mdctl_oom();
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                JsonObject *o = json_object_array_get_idx(list, i);
                char when[CLOCK_HUMAN_MAX];

                if (table_add(t, COLOUR_NONE, clock_format_utc(when, get_number(o, "WhenUSec"))) < 0 || table_add(t, COLOUR_BOLD, get_text(o, "Domain")) < 0 ||
                    table_add(t, COLOUR_NONE, get_text(o, "What")) < 0)
                        return mdctl_oom();
        }
        if (table_rows(t) > 0)
                table_print(t, !c->no_legend);
        else if (!c->no_legend)
                printf("Nothing is renewed and nothing expires.\n");
        return MDCTL_DONE;
}

int verb_timeline(Mdctl *c, char *const *arguments) {
        _auto_json_ JsonObject *domains = NULL, *list = NULL;
        int r;

        r = client_list_domains(c, &domains);
        if (r != MDCTL_DONE)
                return r;
        format_begin(c);
        if (c->json == JSON_OFF && format_width() > 0)
                return draw(c, domains);
        list = list_all(domains);
        if (!list)
                return mdctl_oom();
        return c->json == JSON_OFF ? print(c, list) : format_json(c, list);
}
