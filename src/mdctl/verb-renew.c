/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl renew: starts a job, or joins the one that runs, and stays with it to the end. */

#include "mdctl/mdctl.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "mdctl/agent.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/job-wait.h"
#include "mdctl/renew-report.h"

static int start(JobWait *w, const char *name) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        agent_open(w->mdctl);
        r = client_call_manager(w->mdctl, "Renew", &reply, "sb", name, (int) w->mdctl->force);
        agent_close();
        if (r == MDCTL_NOTHING_TO_DO)
                fprintf(stderr, "With --force it is renewed all the same.\n");
        if (r != MDCTL_DONE)
                return r;
        return job_wait_started(w, reply);
}

int verb_renew(Mdctl *c, char *const *arguments) {
        _cleanup_(job_wait_done) JobWait w = { .mdctl = c };
        _auto_json_ JsonObject *domain = NULL;
        _auto_free_ char *path = NULL;
        int r;

        r = client_get_domain(c, arguments[0], &path, &domain);
        if (r == MDCTL_DONE)
                r = job_wait_subscribe(&w);
        if (r == MDCTL_DONE)
                r = start(&w, arguments[0]);
        if (r == MDCTL_DONE && c->no_wait)
                return job_wait_report_started(&w);
        if (r == MDCTL_DONE)
                r = renew_wait(&w, get_text(domain, "Name"));
        return r == MDCTL_DONE ? renew_report(&w, path) : r;
}
