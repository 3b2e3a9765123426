/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl watch: a line for each signal of the manager, until somebody ends it. */

#include "mdctl/mdctl.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

static Colour colour_of(const char *event) {
        static const struct {
                const char *event;
                Colour colour;
        } known[] = {
                { "renewed", COLOUR_GOOD },       { "installed", COLOUR_GOOD },     { "job-done", COLOUR_GOOD },
                { "errored", COLOUR_BAD },        { "reload-failed", COLOUR_BAD },  { "job-failed", COLOUR_BAD },
                { "served-differs", COLOUR_BAD }, { "store-damaged", COLOUR_WARN }, { "reload-pending", COLOUR_WARN },
                { "stalled", COLOUR_BAD },
        };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (str_equal(known[i].event, event))
                        return known[i].colour;
        return COLOUR_NONE;
}

static void print_line(uint64_t when_usec, const char *domain, const char *event, const char *detail) {
        char when[CLOCK_HUMAN_MAX];
        Colour colour = colour_of(event);

        printf("%s  %s%s%s  %s%s%s%s%s\n", clock_format_utc(when, when_usec), colour_on(COLOUR_BOLD), domain, colour_off(COLOUR_BOLD), colour_on(colour), event,
               colour_off(colour), str_is_empty(detail) ? "" : "  ", detail);
}

/* One signal; 'names' are those of its arguments. */
static int show(const Mdctl *c, sd_bus_message *m, const char *const *names) {
        _auto_json_ JsonObject *o = NULL;

        if (bus_json_read_named(m, names, &o) < 0)
                return 0;
        if (c->json != JSON_OFF) {
                if (json_add_string(o, "Signal", sd_bus_message_get_member(m)) >= 0)
                        (void) format_json(c, o);
        } else if (sd_bus_message_is_signal(m, NULL, "Event"))
                print_line(get_number(o, "WhenUSec"), get_text(o, "Domain"), get_text(o, "Event"), get_text(o, "Detail"));
        else /* why it failed was told by an event */
                print_line(clock_now_usec(), get_text(o, "Domain"), str_equal(get_text(o, "Result"), "done") ? "job-done" : "job-failed", "");
        (void) fflush(stdout);
        return 0;
}

static int on_event(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        static const char *const names[] = { "Event", "Domain", "Detail", "Problem", "WhenUSec", NULL };

        return show(userdata, m, names);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        static const char *const names[] = { "Job", "Domain", "Result", "Detail", NULL };

        return show(userdata, m, names);
}

int verb_watch(Mdctl *c, char *const *arguments) {
        _auto_json_ JsonObject *manager = NULL;
        const bool never = false;
        int r;

        r = client_connect(c);
        if (r != MDCTL_DONE)
                return r;
        r = sd_bus_match_signal(c->bus, NULL, BUS_NAME, BUS_PATH, BUS_INTERFACE_MANAGER, "Event", on_event, c);
        if (r >= 0)
                r = sd_bus_match_signal(c->bus, NULL, BUS_NAME, BUS_PATH, BUS_INTERFACE_MANAGER, "JobRemoved", on_job_removed, c);
        if (r < 0) {
                fprintf(stderr, "Cannot subscribe to signals: %s\n", strerror(-r));
                return MDCTL_FAILED;
        }
        /* Also has the bus start a manager that does not run. */
        r = client_get_all(c, BUS_PATH, BUS_INTERFACE_MANAGER, &manager);
        if (r != MDCTL_DONE)
                return r;

        c->no_pager = true;
        format_begin(c);
        r = client_run_until(c, &never);
        fprintf(stderr, "The system bus went away: %s\n", strerror(-r));
        return MDCTL_FAILED;
}
