/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl revoke: has the CA revoke what a domain serves, and gets new certificates with new keys, unless nobody wants them. */

#include "mdctl/mdctl.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "mdctl/agent.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/job-wait.h"

/* Who gives the names up needs none. */
static bool is_reissued(const Mdctl *c) {
        return c->reissue || (!c->no_reissue && !str_equal(c->reason, "cessationOfOperation"));
}

static int report_end(JobWait *w, const char *name) {
        bool failed = job_wait_failed(w);
        int r = MDCTL_DONE;

        w->mdctl->no_pager = true;
        format_begin(w->mdctl);
        if (w->mdctl->json != JSON_OFF)
                r = format_json(w->mdctl, w->end);
        else if (failed)
                printf("%s: %sNot revoked%s: %s\n", name, colour_on(COLOUR_BAD), colour_off(COLOUR_BAD), get_text(w->end, "Detail"));
        else
                printf("%s: %sRevoked%s.%s\n", name, colour_on(COLOUR_GOOD), colour_off(COLOUR_GOOD),
                       is_reissued(w->mdctl) ? " New certificates with new keys are on their way." : "");
        return r != MDCTL_DONE ? r : failed ? MDCTL_FAILED : MDCTL_DONE;
}

int verb_revoke(Mdctl *c, char *const *arguments) {
        _cleanup_(job_wait_done) JobWait w = { .mdctl = c };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_free_ char *doing = str_printf("Revoking the certificates of %s", arguments[0]);
        int r;

        if (c->reissue && c->no_reissue) {
                fprintf(stderr, "--reissue and --no-reissue are not for both at once.\n");
                return MDCTL_USAGE;
        }
        if (!doing)
                return mdctl_oom();
        r = job_wait_subscribe(&w);
        if (r != MDCTL_DONE)
                return r;
        agent_open(c);
        r = client_call_manager(c, "Revoke", &reply, "ssbb", arguments[0], str_or(c->reason, ""), (int) c->by_certificate_key, (int) is_reissued(c));
        agent_close();
        if (r == MDCTL_DONE)
                r = job_wait_started(&w, reply);
        if (r == MDCTL_DONE && c->no_wait)
                return job_wait_report_started(&w);
        if (r == MDCTL_DONE)
                r = job_wait_run(&w, doing, "It was not kept; say it again when it runs again.");
        return r == MDCTL_DONE ? report_end(&w, arguments[0]) : r;
}
