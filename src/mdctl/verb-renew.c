/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl renew: starts a job, or joins the one that runs, and stays with it to the end. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/agent.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/problem-text.h"

enum { INDENT = 12 };

typedef struct Waiting {
        Mdctl *mdctl;
        char *job;      /* NULL: not known yet */
        char *activity; /* what was shown last */
        JsonObject *end; /* JobRemoved of our job */
        bool shows_progress, lost, done;
} Waiting;

static void waiting_done(Waiting *w) {
        free(w->job);
        free(w->activity);
        if (w->end)
                (void) json_object_put(w->end);
}

/* Signals are dispatched only after the answer to Renew() has been read, so the job is known here. */
static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        static const char *const names[] = { "Job", "Domain", "Result", "Detail", NULL };
        _auto_json_ JsonObject *o = NULL;
        Waiting *w = userdata;

        if (w->done || bus_json_read_named(m, names, &o) < 0 || !str_equal(get_text(o, "Job"), w->job))
                return 0;
        w->end = take_ptr(o);
        w->done = true;
        return 0;
}

/* A line for each new activity. */
static void show_activity(Waiting *w, const char *activity) {
        if (str_is_empty(activity) || str_equal(activity, w->activity) || str_replace(&w->activity, activity) < 0)
                return;
        fprintf(stderr, "  %s\n", activity);
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        static const char *const names[] = { "Interface", "Changed", "Invalidated", NULL };
        _auto_json_ JsonObject *o = NULL;
        Waiting *w = userdata;
        JsonObject *changed;

        if (w->done || !str_equal(sd_bus_message_get_path(m), w->job) || bus_json_read_named(m, names, &o) < 0)
                return 0;
        changed = json_get_object(o, "Changed");
        if (!changed)
                return 0;
        if (str_equal(get_text(changed, "State"), "queued"))
                show_activity(w, "waiting for a free place");
        show_activity(w, get_text(changed, "Activity"));
        return 0;
}

/* Without its owner nobody will tell how the job ended. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;
        Waiting *w = userdata;

        if (sd_bus_message_read(m, "sss", &name, &before, &after) < 0 || w->done || !str_equal(name, BUS_NAME) || str_is_empty(before))
                return 0;
        w->lost = w->done = true;
        return 0;
}

/* Before the job exists, so that nothing is missed. */
static int subscribe(Waiting *w) {
        sd_bus *bus = w->mdctl->bus;
        int r;

        r = sd_bus_match_signal(bus, NULL, BUS_NAME, BUS_PATH, BUS_INTERFACE_MANAGER, "JobRemoved", on_job_removed, w);
        if (r >= 0)
                r = sd_bus_add_match(bus, NULL, "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" BUS_NAME "'",
                                     on_owner, w);
        if (r >= 0 && w->shows_progress)
                r = sd_bus_add_match(bus, NULL, "type='signal',sender='" BUS_NAME "',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
                                                "path_namespace='" BUS_PATH_JOB "'",
                                     on_properties, w);
        if (r >= 0)
                return MDCTL_DONE;
        fprintf(stderr, "Cannot subscribe to signals: %s\n", strerror(-r));
        return MDCTL_FAILED;
}

static int start(Waiting *w, const char *name) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *job;
        int r;

        agent_open(w->mdctl);
        r = client_call_manager(w->mdctl, "Renew", &reply, "sb", name, (int) w->mdctl->force);
        agent_close();
        if (r == MDCTL_NOTHING_TO_DO)
                fprintf(stderr, "With --force it is renewed all the same.\n");
        if (r != MDCTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "o", &job);
        if (r < 0)
                return client_tell_answer(r);
        return str_replace(&w->job, job) < 0 ? mdctl_oom() : MDCTL_DONE;
}

static int report_started(const Mdctl *c, const char *job) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (c->json == JSON_OFF) {
                printf("%s\n", job);
                return MDCTL_DONE;
        }
        if (!o || json_add_string(o, "Job", job) < 0)
                return mdctl_oom();
        return format_json(c, o);
}

static int wait_for_end(Waiting *w, const char *name) {
        int r;

        if (w->shows_progress)
                fprintf(stderr, "Renewing %s. Ctrl+C ends the waiting, not the renewal.\n", name);
        r = client_run_until(w->mdctl, &w->done);
        if (r < 0) {
                fprintf(stderr, "The system bus went away: %s\n", strerror(-r));
                return MDCTL_FAILED;
        }
        if (w->lost) {
                fprintf(stderr, "md-manager ended before the renewal did. It goes on with the order when it runs again; see 'mdctl show %s'.\n", name);
                return MDCTL_FAILED;
        }
        return MDCTL_DONE;
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

static int report_end(Waiting *w, const char *path) {
        bool failed = !str_equal(get_text(w->end, "Result"), "done");
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

int verb_renew(Mdctl *c, char *const *arguments) {
        _cleanup_(waiting_done) Waiting w = { .mdctl = c, .shows_progress = c->json == JSON_OFF && !c->no_wait && isatty(STDERR_FILENO) };
        _auto_json_ JsonObject *domain = NULL;
        _auto_free_ char *path = NULL;
        int r;

        r = client_get_domain(c, arguments[0], &path, &domain);
        if (r == MDCTL_DONE)
                r = subscribe(&w);
        if (r == MDCTL_DONE)
                r = start(&w, arguments[0]);
        if (r == MDCTL_DONE && c->no_wait)
                return report_started(c, w.job);
        if (r == MDCTL_DONE)
                r = wait_for_end(&w, get_text(domain, "Name"));
        return r == MDCTL_DONE ? report_end(&w, path) : r;
}
