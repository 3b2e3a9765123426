/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/job-wait.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/agent.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

void job_wait_done(JobWait *w) {
        free(w->job);
        free(w->activity);
        if (w->end)
                (void) json_object_put(w->end);
}

/* Signals are dispatched only after the answer with its path has been read, so the job is known here. */
static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        static const char *const names[] = { "Job", "Domain", "Result", "Detail", NULL };
        _auto_json_ JsonObject *o = NULL;
        JobWait *w = userdata;

        if (w->done || bus_json_read_named(m, names, &o) < 0 || !str_equal(get_text(o, "Job"), w->job))
                return 0;
        w->end = take_ptr(o);
        w->done = true;
        return 0;
}

/* A line for each new activity. */
static void show_activity(JobWait *w, const char *activity) {
        if (str_is_empty(activity) || str_equal(activity, w->activity) || str_replace(&w->activity, activity) < 0)
                return;
        fprintf(stderr, "  %s\n", activity);
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        static const char *const names[] = { "Interface", "Changed", "Invalidated", NULL };
        _auto_json_ JsonObject *o = NULL;
        JobWait *w = userdata;
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
        JobWait *w = userdata;

        if (sd_bus_message_read(m, "sss", &name, &before, &after) < 0 || w->done || !str_equal(name, BUS_NAME) || str_is_empty(before))
                return 0;
        w->lost = w->done = true;
        return 0;
}

int job_wait_subscribe(JobWait *w) {
        sd_bus *bus;
        int r;

        r = client_connect(w->mdctl);
        if (r != MDCTL_DONE)
                return r;
        bus = w->mdctl->bus;
        w->shows_progress = w->mdctl->json == JSON_OFF && !w->mdctl->no_wait && isatty(STDERR_FILENO);
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

int job_wait_started(JobWait *w, sd_bus_message *reply) {
        const char *job;
        int r = sd_bus_message_read(reply, "o", &job);

        if (r < 0)
                return client_tell_answer(r);
        return str_replace(&w->job, job) < 0 ? mdctl_oom() : MDCTL_DONE;
}

int job_wait_report_started(const JobWait *w) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (w->mdctl->json == JSON_OFF) {
                printf("%s\n", w->job);
                return MDCTL_DONE;
        }
        if (!o || json_add_string(o, "Job", w->job) < 0)
                return mdctl_oom();
        return format_json(w->mdctl, o);
}

int job_wait_run(JobWait *w, const char *doing, const char *lost) {
        int r;

        if (w->shows_progress)
                fprintf(stderr, "%s. Ctrl+C ends the waiting, not the work.\n", doing);
        r = client_run_until(w->mdctl, &w->done);
        if (r < 0) {
                fprintf(stderr, "The system bus went away: %s\n", strerror(-r));
                return MDCTL_FAILED;
        }
        if (w->lost) {
                fprintf(stderr, "md-manager ended before the job did. %s\n", lost);
                return MDCTL_FAILED;
        }
        return MDCTL_DONE;
}

bool job_wait_failed(const JobWait *w) {
        return !str_equal(get_text(w->end, "Result"), "done");
}
