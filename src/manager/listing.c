/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/listing.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "manager/domain.h"
#include "manager/fault.h"
#include "manager/fault-list.h"
#include "manager/ocsp-other.h"
#include "manager/reload-calendar.h"
#include "manager/reload.h"
#include "manager/servers.h"
#include "manager/targets.h"

enum {
        LISTINGS_MAX = 64,
        LIST_DETAIL_MAX = 200, /* of a problem, in the list of all domains: it must stay one message */
        DETAILS_END = 16 * 1024 * 1024, /* bytes, from where on details are left out of that list */
        LIST_MAX = 30 * 1024 * 1024, /* above 32 MiB dbus-daemon throws us out */
        DOMAIN_FRAME = 96, /* bytes of one domain beside its words */
};

#define SLICE_USEC (5 * USEC_PER_MSEC)

struct Listing {
        Listing *next;
        Manager *manager;
        ListingKind kind;
        sd_bus_message *call, *reply;
        sd_event_source *source;
        FaultList faults; /* or: */
        size_t bytes; /* of what is listed of domains */
        size_t position;
        uint64_t generation; /* of the domains: in others, the position means nothing */
};

static void listing_free(Listing *l) {
        for (Listing **p = &l->manager->listings; *p; p = &(*p)->next)
                if (*p == l) {
                        *p = l->next;
                        break;
                }
        sd_event_source_disable_unref(l->source);
        sd_bus_message_unref(l->reply);
        sd_bus_message_unref(l->call);
        free(l);
}

void listing_free_all(Manager *m) {
        while (m->listings)
                listing_free(m->listings);
}

/* What is in the way: of a server that is to be reloaded, or of the last attempt. */
static const char *trouble_of(const Domain *d) {
        if (d->decision.action == DECISION_INSTALL)
                return str_or(reload_trouble(d), str_or(reload_excuse(d), ""));
        return d->job->last ? d->job->last->detail : "";
}

static size_t total_length(const char *const *words) {
        size_t n = 0;

        for (; *words; words++)
                n += strlen(*words);
        return n;
}

/* -E2BIG: no message could hold it. */
static int append_domain(Listing *l, const Domain *d) {
        const char *action = d->renewal ? "renewing" : decision_action_to_string(d->decision.action), *detail = l->bytes < DETAILS_END ? trouble_of(d) : "";
        _auto_free_ char *shown = str_printable(detail, strlen(detail), LIST_DETAIL_MAX);
        const char *state = domain_state_to_string(d->decision.state), *reason = str_or(decision_reason_to_string(d->decision.reason), "");
        const char *waits_for = problem_class_to_string(domain_waiting_for(d));
        const char *const words[] = { DOMAIN_NAME(d), d->path, state, str_or(action, ""), reason, str_or(shown, ""), waits_for, NULL };

        l->bytes += total_length(words) + DOMAIN_FRAME;
        if (l->bytes > LIST_MAX)
                return -E2BIG;
        return sd_bus_message_append(l->reply, "(sosssttuss)", DOMAIN_NAME(d), d->path, state, str_or(action, ""), reason, domain_valid_until_usec(d), d->wanted_usec,
                                     (uint32_t) d->job->errors, str_or(shown, ""), waits_for);
}

static int append_fault(Listing *l, Domain *d) {
        _auto_free_ char *fault = fault_find(d);

        return fault ? fault_list_append(&l->faults, DOMAIN_NAME(d), fault) : 0;
}

/* Faults that are no managed domain's. */
static int append_others(FaultList *l, Manager *m) {
        _auto_free_ char *calendar = reload_calendar_fault(m->reload_calendar);
        int r = 0;

        STRV_FOREACH(c, m->settings.complaints)
                if (r >= 0)
                        r = fault_list_append(l, "", *c);
        if (r >= 0 && calendar)
                r = fault_list_append(l, "", calendar);
        STRV_FOREACH(c, servers_complaints(m->servers))
                if (r >= 0)
                        r = fault_list_append(l, "", *c);
        if (r >= 0)
                r = targets_append_faults(l, m->targets);
        if (r >= 0)
                r = ocsp_other_append_faults(m->ocsp, l);
        for (char **p = m->left_out; p && p[0] && p[1]; p += 2)
                if (r >= 0)
                        r = fault_list_append(l, p[0], p[1]);
        return r;
}

static int begin(Listing *l) {
        int r;

        l->reply = sd_bus_message_unref(l->reply);
        l->position = 0;
        l->generation = l->manager->generation;
        r = sd_bus_message_new_method_return(l->call, &l->reply);
        if (r >= 0)
                r = sd_bus_message_open_container(l->reply, 'a', l->kind == LISTING_DOMAINS ? "(sosssttuss)" : "(ss)");
        l->bytes = 0;
        l->faults = (FaultList){ .reply = l->reply };
        return r >= 0 && l->kind == LISTING_FAULTS ? append_others(&l->faults, l->manager) : r;
}

/* 1: that is all. */
static int go_on(Listing *l) {
        uint64_t end = usec_add(clock_monotonic_usec(), SLICE_USEC);
        const char *name;
        Domain *d;
        int r;

        if (!l->reply || l->generation != l->manager->generation) {
                r = begin(l);
                if (r < 0)
                        return r;
        }
        while (map_next(l->manager->domains, &l->position, &name, (void **) &d)) {
                r = l->kind == LISTING_DOMAINS ? append_domain(l, d) : append_fault(l, d);
                if (r < 0)
                        return r;
                if (clock_monotonic_usec() >= end)
                        return 0;
        }
        r = fault_list_end(&l->faults);
        if (r >= 0)
                r = sd_bus_message_close_container(l->reply);
        if (r >= 0)
                r = sd_bus_send(l->manager->bus, l->reply, NULL);
        return r < 0 ? r : 1;
}

static int on_turn(sd_event_source *source, void *userdata) {
        Listing *l = userdata;
        int r;

        if (!servers_are_settled(l->manager->servers)) {
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF); /* listing_wake_all() */
                return 0;
        }
        r = go_on(l);
        if (r == -E2BIG)
                (void) sd_bus_reply_method_errorf(l->call, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many domains for one message");
        else if (r < 0)
                (void) sd_bus_reply_method_errno(l->call, r, NULL);
        if (r != 0)
                listing_free(l);
        return 0;
}

void listing_wake_all(Manager *m) {
        for (Listing *l = m->listings; l; l = l->next)
                (void) sd_event_source_set_enabled(l->source, SD_EVENT_ON);
}

int listing_new(Manager *m, sd_bus_message *call, ListingKind kind, sd_bus_error *error) {
        size_t n = 0;
        Listing *l;
        int r;

        for (l = m->listings; l; l = l->next)
                n++;
        if (n >= LISTINGS_MAX)
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many want to know about all domains at once");
        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l->manager = m;
        l->kind = kind;
        l->call = sd_bus_message_ref(call);
        l->next = m->listings;
        m->listings = l;
        r = sd_event_add_defer(m->event, &l->source, on_turn, l);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->source, SD_EVENT_ON);
        if (r >= 0) /* behind manager/turns.c */
                r = sd_event_source_set_priority(l->source, SD_EVENT_PRIORITY_NORMAL + 20);
        if (r < 0) {
                listing_free(l);
                return r;
        }
        return 1; /* the answer comes later */
}
