/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl reload: now, not when it would happen by itself. */

#include "mdctl/mdctl.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "mdctl/format.h"
#include "mdctl/reload-wait.h"

static int report(const Mdctl *c, JsonObject *units, const char *what) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (c->json == JSON_OFF) {
                for (size_t i = 0; i < json_object_array_length(units); i++)
                        printf("%s %s.\n", json_object_get_string(json_object_array_get_idx(units, i)), what);
                return MDCTL_DONE;
        }
        if (!o || json_add_object(o, "Units", json_object_get(units)) < 0)
                return mdctl_oom();
        return format_json(c, o);
}

static int judge(const Mdctl *c, const ReloadWait *w, int r) {
        switch (r) {

        case RELOAD_WAIT_DONE:
                return report(c, w->units, "was reloaded");

        case RELOAD_WAIT_E_FAILED:
                fprintf(stderr, "%s\n", str_or(w->trouble, "The reload failed"));
                return MDCTL_FAILED;

        case RELOAD_WAIT_E_LATE:
                fprintf(stderr, "The reload has not come to its end in time. It goes on; see 'mdctl check'.\n");
                return MDCTL_FAILED;

        default:
                return MDCTL_FAILED;
        }
}

int verb_reload(Mdctl *c, char *const *arguments) {
        _auto_free_ char *whole = arguments[0] && !strchr(arguments[0], '.') ? str_printf("%s.service", arguments[0]) : NULL; /* as systemctl has it */
        _cleanup_(reload_wait_done) ReloadWait w = { .mdctl = c, .unit = whole ? whole : arguments[0] };
        int r = reload_wait_begin(&w);

        if (r == MDCTL_NOTHING_TO_DO)
                fprintf(stderr, "No server with managed domains runs in a unit that may be reloaded, or ReloadUnit=none is set.\n");
        if (r != MDCTL_DONE)
                return r;
        return c->no_wait ? report(c, w.units, "will be reloaded") : judge(c, &w, reload_wait_run(&w, NULL, NULL));
}
