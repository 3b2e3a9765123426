/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl list: one line for each managed domain. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "mdctl/client.h"
#include "mdctl/domain-text.h"
#include "mdctl/format.h"

static const Column columns[] = {
        { "NAME" }, { "STATE" }, { "EXPIRES" }, { "NEXT" }, { "WHEN" }, { "WHY", .shrinks = true },
};

static Colour colour_of_state(JsonObject *domain, uint64_t now) {
        uint64_t until = get_number(domain, "ValidUntilUSec");

        if (until != 0 && until <= now)
                return COLOUR_BAD;
        if (str_equal(get_text(domain, "State"), "complete"))
                return COLOUR_GOOD;
        return COLOUR_WARN;
}

/* The last problem, or why it is as it is. */
static int add_why(Table *t, JsonObject *domain) {
        const char *problem = get_text(domain, "LastProblem");
        _auto_free_ char *waits = NULL;

        if (domain_text_is_reloading(domain) && !str_is_empty(problem))
                return table_add(t, COLOUR_WARN, problem);
        if (get_number(domain, "Errors") == 0 || str_is_empty(problem))
                return table_add(t, COLOUR_NONE, get_text(domain, "Reason"));
        if (!str_equal(get_text(domain, "WaitsFor"), "administrator"))
                return table_add(t, COLOUR_BAD, problem);
        waits = str_printf("waits for you: %s", problem);
        return waits ? table_add(t, COLOUR_BAD, waits) : -ENOMEM;
}

/* A reload comes soon, unless something is in its way. */
static const char *say_when(JsonObject *domain, uint64_t now, char buffer[static CLOCK_HUMAN_MAX]) {
        if (domain_text_is_reloading(domain))
                return str_is_empty(get_text(domain, "LastProblem")) ? "soon" : "-";
        return clock_format_relative(buffer, get_number(domain, "NextUSec"), now);
}

static int add_row(JsonObject *domain, void *userdata) {
        Table *t = userdata;
        uint64_t now = clock_now_usec();
        char when[CLOCK_HUMAN_MAX];
        int r;

        r = table_add(t, COLOUR_BOLD, get_text(domain, "Name"));
        if (r >= 0)
                r = table_add(t, colour_of_state(domain, now), get_text(domain, "State"));
        if (r >= 0)
                r = table_add(t, COLOUR_NONE, clock_format_relative(when, get_number(domain, "ValidUntilUSec"), now));
        if (r >= 0)
                r = table_add(t, COLOUR_NONE, domain_text_next(domain));
        if (r >= 0)
                r = table_add(t, COLOUR_NONE, say_when(domain, now, when));
        return r < 0 ? r : add_why(t, domain);
}

/* Rows are made from one domain after the other: there may be very many. */
static int print(Mdctl *c) {
        _cleanup_(table_freep) Table *t = table_new(columns, ELEMENTSOF(columns));
        size_t n;
        int r;

        if (!t)
                return mdctl_oom();
        r = client_each_domain(c, add_row, t);
        if (r != MDCTL_DONE)
                return r;
        format_begin(c);
        n = table_rows(t);
        if (n > 0)
                table_print(t, !c->no_legend);
        if (!c->no_legend)
                printf("%s%zu managed %s.\n", n > 0 ? "\n" : "", n, n == 1 ? "domain" : "domains");
        if (!c->no_legend && n == 0)
                printf("Write MDomain into the configuration of Apache and reload it, see md-manager-getting-started(7).\n");
        return MDCTL_DONE;
}

static int print_json(Mdctl *c) {
        _auto_json_ JsonObject *domains = NULL;
        int r;

        r = client_list_domains(c, &domains);
        if (r != MDCTL_DONE)
                return r;
        format_begin(c);
        return format_json(c, domains);
}

int verb_list(Mdctl *c, char *const *arguments) {
        return c->json == JSON_OFF ? print(c) : print_json(c);
}
