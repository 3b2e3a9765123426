/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/renew-report.h"

#include <ctype.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/problem-text.h"

enum { INDENT = 12 };

static void report_done(JsonObject *domain) {
        const char *detail = get_text(domain, "Detail");
        char until[FORMAT_TIME_MAX];

        printf("%s: %sThe new certificate is there%s, valid until %s.\n", get_text(domain, "Name"), colour_on(COLOUR_GOOD), colour_off(COLOUR_GOOD),
               format_time(until, get_number(domain, "ValidUntilUSec")));
        if (str_equal(get_text(domain, "Action"), "install") && !str_is_empty(detail))
                printf("%c%s. 'mdctl show %s' tells when it is.\n", toupper((unsigned char) *detail), detail + 1, get_text(domain, "Name"));
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
        if (str_equal(get_text(domain, "WaitsFor"), "administrator"))
                printf("%*s: %syou%s: change the configuration, or say 'mdctl retry %s' when it is mended\n", INDENT, "Waits For", colour_on(COLOUR_WARN),
                       colour_off(COLOUR_WARN), get_text(domain, "Name"));
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

int renew_report(JobWait *w, const char *path) {
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

int renew_wait(JobWait *w, const char *name) {
        _auto_free_ char *doing = str_printf("Renewing %s", name), *lost = str_printf("It goes on with the order when it runs again; see 'mdctl show %s'.", name);

        return doing && lost ? job_wait_run(w, doing, lost) : mdctl_oom();
}
