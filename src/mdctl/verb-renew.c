/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl renew: starts a job, or joins the one that runs, and stays with it to the end. */

#include "mdctl/mdctl.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/agent.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/job-wait.h"
#include "mdctl/problem-text.h"

enum { INDENT = 12 };

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

static void report_done(JsonObject *domain) {
        char until[FORMAT_TIME_MAX];

        printf("%s: %sThe new certificate is there%s, valid until %s.\n", get_text(domain, "Name"), colour_on(COLOUR_GOOD), colour_off(COLOUR_GOOD),
               format_time(until, get_number(domain, "ValidUntilUSec")));
        if (str_equal(get_text(domain, "Action"), "install"))
                printf("The server loads it with the next reload, which md-manager sees to; 'mdctl show %s' tells when it is served.\n", get_text(domain, "Name"));
}

static void report_failed(JsonObject *domain, JsonObject *end) {
        _auto_json_ JsonObject *problem = problem_text_decode(json_get_array(domain, "LastProblem"));
        char next[FORMAT_TIME_MAX];

        printf("%s: %sThe renewal failed%s", get_text(domain, "Name"), colour_on(COLOUR_BAD), colour_off(COLOUR_BAD));
        if (get_number(domain, "Errors") > 0)
                printf(" (attempt %u).\n", (unsigned) get_number(domain, "Errors"));
        else
                printf(". It was only asked for: what is there goes on as before.\n");
        if (problem)
                problem_text_print(problem, INDENT);
        else
                printf("%*s: %s\n", INDENT, "Problem", get_text(end, "Detail"));
        if (get_number(domain, "NextUSec") > 0)
                printf("%*s: %s\n", INDENT, "Next Try", format_time(next, get_number(domain, "NextUSec")));
        else
                printf("%*s: none by itself: %s\n", INDENT, "Next Try", str_or(get_text(domain, "Detail"), get_text(domain, "Reason")));
        printf("%*s: journalctl MD_NAME=%s\n", INDENT, "More", get_text(domain, "Name"));
}

static int report_json(const Mdctl *c, JsonObject *domain, JsonObject *end) {
        JsonObject *problem = problem_text_decode(json_get_array(domain, "LastProblem"));

        if (problem && json_add_object(end, "LastProblem", problem) < 0)
                return mdctl_oom();
        if (json_add_uint(end, "ValidUntilUSec", get_number(domain, "ValidUntilUSec")) < 0 ||
            json_add_uint(end, "NextUSec", get_number(domain, "NextUSec")) < 0)
                return mdctl_oom();
        return format_json(c, end);
}

static int report_end(JobWait *w, const char *path) {
        bool failed = job_wait_failed(w);
        _auto_json_ JsonObject *domain = NULL;
        int r;

        r = client_get_all(w->mdctl, path, BUS_INTERFACE_DOMAIN, &domain);
        if (r != MDCTL_DONE)
                return r;
        w->mdctl->no_pager = true;
        format_begin(w->mdctl);
        if (w->mdctl->json != JSON_OFF)
                r = report_json(w->mdctl, domain, w->end);
        else if (failed)
                report_failed(domain, w->end);
        else
                report_done(domain);
        return r != MDCTL_DONE ? r : failed ? MDCTL_FAILED : MDCTL_DONE;
}

static int wait_for_end(JobWait *w, const char *name) {
        _auto_free_ char *doing = str_printf("Renewing %s", name), *lost = str_printf("It goes on with the order when it runs again; see 'mdctl show %s'.", name);

        return doing && lost ? job_wait_run(w, doing, lost) : mdctl_oom();
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
                r = wait_for_end(&w, get_text(domain, "Name"));
        return r == MDCTL_DONE ? report_end(&w, path) : r;
}
