/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl targets: what other services have of the certificates, and what became of it lately. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

static const char *const members[] = { "Target", "Domain", "State", "Detail", "SinceUSec", NULL };

static const Column columns[] = { { "TARGET" }, { "DOMAIN", .shrinks = true }, { "STATE" }, { "SINCE" }, { "DETAIL", .shrinks = true } };

static Colour colour_of(const char *state) {
        if (str_equal(state, "failed"))
                return COLOUR_BAD;
        return str_equal(state, "waiting") ? COLOUR_WARN : COLOUR_GOOD;
}

static int add_row(Table *t, JsonObject *o) {
        char since[CLOCK_HUMAN_MAX];

        if (table_add(t, COLOUR_BOLD, get_text(o, "Target")) < 0 || table_add(t, COLOUR_NONE, get_text(o, "Domain")) < 0 ||
            table_add(t, colour_of(get_text(o, "State")), get_text(o, "State")) < 0 ||
            table_add(t, COLOUR_NONE, clock_format_relative(since, get_number(o, "SinceUSec"), clock_now_usec())) < 0)
                return -ENOMEM;
        return table_add(t, COLOUR_NONE, get_text(o, "Detail"));
}

static int print(const Mdctl *c, JsonObject *targets) {
        _cleanup_(table_freep) Table *t = table_new(columns, ELEMENTSOF(columns));
        size_t n = json_object_array_length(targets);

        if (!t)
                return mdctl_oom();
        for (size_t i = 0; i < n; i++)
                if (add_row(t, json_object_array_get_idx(targets, i)) < 0)
                        return mdctl_oom();
        if (n > 0)
                table_print(t, !c->no_legend);
        if (!c->no_legend)
                printf("%s%zu %s.\n", n > 0 ? "\n" : "", n, n == 1 ? "target" : "targets");
        return MDCTL_DONE;
}

int verb_targets(Mdctl *c, char *const *arguments) {
        _auto_json_ JsonObject *manager = NULL, *targets = NULL;
        int r;

        r = client_get_all(c, BUS_PATH, BUS_INTERFACE_MANAGER, &manager);
        if (r != MDCTL_DONE)
                return r;
        targets = bus_json_name_each(json_get_array(manager, "Targets"), members);
        if (!targets)
                return client_tell_answer(-EBADMSG);
        format_begin(c);
        return c->json == JSON_OFF ? print(c, targets) : format_json(c, targets);
}
