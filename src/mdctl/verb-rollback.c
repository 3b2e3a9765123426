/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl rollback: puts an earlier set of certificates and keys back, and waits until it is served. */

#include "mdctl/mdctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/agent.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

typedef struct Rollback {
        Mdctl *mdctl;
        char *path, *name; /* of the domain */
        uint64_t set;
        JsonObject *end;   /* the event that ended the waiting; NULL: the manager went away */
        bool done;
} Rollback;

static void rollback_done(Rollback *r) {
        free(r->path);
        free(r->name);
        if (r->end)
                (void) json_object_put(r->end);
}

/* What a reload comes to. */
static bool is_end(const char *event) {
        static const char *const ends[] = { "installed", "reload-failed", "reload-pending", "served-differs" };

        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                if (str_equal(event, ends[i]))
                        return true;
        return false;
}

static int on_event(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        static const char *const names[] = { "Event", "Domain", "Detail", "Problem", "WhenUSec", NULL };
        _auto_json_ JsonObject *o = NULL;
        Rollback *r = userdata;

        if (r->done || r->set == 0 || bus_json_read_named(m, names, &o) < 0 || !str_equal(get_text(o, "Domain"), r->name) || !is_end(get_text(o, "Event")))
                return 0;
        r->end = take_ptr(o);
        r->done = true;
        return 0;
}

/* Without its owner nobody will tell. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;
        Rollback *r = userdata;

        if (sd_bus_message_read(m, "sss", &name, &before, &after) >= 0 && str_equal(name, BUS_NAME) && !str_is_empty(before))
                r->done = true;
        return 0;
}

static int subscribe(Rollback *r) {
        sd_bus *bus = r->mdctl->bus;
        int k;

        k = sd_bus_match_signal(bus, NULL, BUS_NAME, BUS_PATH, BUS_INTERFACE_MANAGER, "Event", on_event, r);
        if (k >= 0)
                k = sd_bus_add_match(bus, NULL, "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" BUS_NAME "'",
                                     on_owner, r);
        if (k >= 0)
                return MDCTL_DONE;
        fprintf(stderr, "Cannot subscribe to signals: %s\n", strerror(-k));
        return MDCTL_FAILED;
}

/* Signals are dispatched only after the answer was read. */
static int start(Rollback *r, uint64_t wanted) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int k;

        if (client_call(r->mdctl, (ClientMethod){ r->path, BUS_INTERFACE_DOMAIN, "Rollback" }, &error, &reply, "t", wanted) < 0)
                return client_tell(&error, NULL);
        k = sd_bus_message_read(reply, "t", &r->set);
        return k < 0 ? client_tell_answer(k) : MDCTL_DONE;
}

static int wait_for_end(Rollback *r) {
        int k;

        if (r->mdctl->json == JSON_OFF && isatty(STDERR_FILENO))
                fprintf(stderr, "Set %llu of %s is being put back. Ctrl+C ends the waiting, not the work.\n", (unsigned long long) r->set, r->name);
        k = client_run_until(r->mdctl, &r->done);
        if (k < 0)
                fprintf(stderr, "The system bus went away: %s\n", strerror(-k));
        else if (!r->end)
                fprintf(stderr, "md-manager ended meanwhile. It goes on when it runs again; see 'mdctl show %s'.\n", r->name);
        return k < 0 || !r->end ? MDCTL_FAILED : MDCTL_DONE;
}

static int report_json(Rollback *r) {
        JsonObject *o = r->end ? json_object_get(r->end) : json_object_new_object();
        int k = MDCTL_FAILED;

        if (!o || json_add_uint(o, "Set", r->set) < 0 || (!r->end && json_add_string(o, "Domain", r->name) < 0))
                (void) mdctl_oom();
        else
                k = format_json(r->mdctl, o);
        (void) json_object_put(o);
        return k;
}

static int report(Rollback *r) {
        const char *event = get_text(r->end, "Event");
        bool served = str_equal(event, "installed"), pending = str_equal(event, "reload-pending");
        int k = MDCTL_DONE;

        r->mdctl->no_pager = true;
        format_begin(r->mdctl);
        if (r->mdctl->json != JSON_OFF)
                k = report_json(r);
        else if (!r->end)
                printf("%s: Set %llu is being put back.\n", r->name, (unsigned long long) r->set);
        else if (served)
                printf("%s: %sSet %llu is served again%s.\n", r->name, colour_on(COLOUR_GOOD), (unsigned long long) r->set, colour_off(COLOUR_GOOD));
        else
                printf("%s: Set %llu was put back, and %sis not served yet%s: %s\n", r->name, (unsigned long long) r->set, colour_on(COLOUR_WARN), colour_off(COLOUR_WARN),
                       get_text(r->end, "Detail"));
        if (k != MDCTL_DONE)
                return k;
        return !r->end || served || pending ? MDCTL_DONE : MDCTL_FAILED;
}

static int find(Rollback *r, const char *name) {
        _auto_json_ JsonObject *domain = NULL;
        int k = client_get_domain(r->mdctl, name, &r->path, &domain);

        if (k != MDCTL_DONE)
                return k;
        return str_replace(&r->name, get_text(domain, "Name")) < 0 ? mdctl_oom() : MDCTL_DONE;
}

int verb_rollback(Mdctl *c, char *const *arguments) {
        _cleanup_(rollback_done) Rollback r = { .mdctl = c };
        uint64_t wanted = 0;
        int k;

        if (arguments[1] && (parse_uint64(arguments[1], &wanted) < 0 || wanted == 0)) {
                fprintf(stderr, "'%s' is no number of a set; 'mdctl archive %s' lists them.\n", arguments[1], arguments[0]);
                return MDCTL_USAGE;
        }
        k = find(&r, arguments[0]);
        if (k == MDCTL_DONE)
                k = subscribe(&r);
        if (k != MDCTL_DONE)
                return k;
        agent_open(c);
        k = start(&r, wanted);
        agent_close();
        if (k == MDCTL_DONE && !c->no_wait)
                k = wait_for_end(&r);
        return k == MDCTL_DONE ? report(&r) : k;
}
