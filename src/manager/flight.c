/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/flight.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "bus/launcher-client.h"
#include "bus/names.h"
#include "manager/challenge-queue.h"

#define BUSY_USEC (5 * USEC_PER_SEC)
#define FIELD_OTHERS "MD_OTHERS"
#define FIELD_DETAIL "MD_DETAIL"

enum {
        OTHERS_MAX = 24 * 1024, /* bytes of names; the launcher's own limit for a field lies above */
        TOLD_AFTER = 3,         /* troubles of the launcher, which may be restarting */
};

typedef struct Member {
        Box *box; /* NULL: it is gone */
        OutboxEntry *entry;
} Member;

struct Flight {
        Flight *next;
        Courier *courier;
        Member *members; /* the hook runs for the first */
        size_t n_members, n_settled;
        bool notify;
        sd_bus_slot *slot;

        /* its end */
        sd_event_source *settling;
        char *unit, *result; /* NULL: it was not run, 'error' says why */
        LauncherHookEnd end;
        sd_bus_error error;
        uint64_t again_usec; /* the same for all members, so that they stay together */
};

static Flight *flight_free(Flight *f) {
        if (!f)
                return NULL;
        for (Flight **p = &f->courier->flights; *p; p = &(*p)->next)
                if (*p == f) {
                        *p = f->next;
                        f->courier->n_flights--;
                        break;
                }
        sd_bus_slot_unref(f->slot);
        sd_event_source_disable_unref(f->settling);
        sd_bus_error_free(&f->error);
        free(f->unit);
        free(f->result);
        free(f->members);
        free(f);
        return NULL;
}
DEFINE_CLEANUP(Flight *, flight_free)

void flights_free_all(Courier *c) {
        while (c->flights)
                flight_free(c->flights);
}

void flights_forget(Courier *c, const Box *box) {
        for (Flight *f = c->flights; f; f = f->next)
                for (size_t i = 0; i < f->n_members; i++)
                        if (f->members[i].box == box)
                                f->members[i] = (Member){ 0 };
}

static Domain *domain_of(const Box *box) {
        return manager_find_domain(box->courier->manager, box->record->name);
}

/* --- How it ends --- */

static uint64_t retry_delay(const Domain *d) {
        return d && d->n_servers > 0 ? d->servers[0].snapshot->retry_delay_usec : 0;
}

static uint64_t again_usec(Flight *f, uint64_t delay_usec) {
        if (f->again_usec == 0)
                f->again_usec = usec_add(clock_now_usec(), delay_usec);
        return f->again_usec;
}

static void after_failure(Flight *f, Box *box, OutboxEntry *e) {
        Domain *d = domain_of(box);
        uint64_t next = again_usec(f, backoff_delay_usec(retry_delay(d), e->failures + 1, manager_random()));
        EventKind kind = e->kind;
        _auto_free_ char *then = NULL;
        char when[CLOCK_HUMAN_MAX];

        if (outbox_failed(box->record, e, next))
                then = str_printf("it is run again at %s", clock_format_utc(when, next));
        courier_tell_end(box->courier->manager, box->record->name, kind, f->notify, &f->end, then);
}

static void after_success(Flight *f, Box *box, OutboxEntry *e) {
        EventKind kind = e->kind;

        e->failures = 0;
        e->next_usec = 0;
        if (f->notify)
                e->notified = true; /* now the other command */
        else if (outbox_told(box->record, e, clock_now_usec()) < 0)
                (void) log_oom();
        courier_tell_end(box->courier->manager, box->record->name, kind, f->notify, &f->end, NULL);
}

static void tell_trouble(const Box *box, const OutboxEntry *e, const char *why, bool final) {
        const char *event = event_kind_to_string(e->kind);
        LogField fields[] = { { "MD_NAME", box->record->name }, { "MD_EVENT", event } };

        log_full(final ? LOG_ERR : LOG_WARNING, 0, MESSAGE_HOOK_FAILED, fields, ELEMENTSOF(fields), "%s: The hook for '%s' was not started: %s%s", box->record->name, event, why,
                 final ? "" : ". It is tried again.");
}

/* It was not told, for a reason that is not the hook's. */
static void after_trouble(Flight *f, Box *box, OutboxEntry *e, bool first) {
        const char *why = str_or(f->error.message, "no reason given");
        bool busy = sd_bus_error_has_name(&f->error, BUS_ERROR_BUSY);

        if (sd_bus_error_has_name(&f->error, BUS_ERROR_NOT_CONFIGURED) || sd_bus_error_has_name(&f->error, BUS_ERROR_INVALID)) {
                if (!first)
                        return; /* this was about the one whose name was said: the next one is tried */
                tell_trouble(box, e, why, true);
                outbox_drop(box->record, e);
                courier_save(box);
                return;
        }
        if (!busy && ++e->troubles == TOLD_AFTER)
                tell_trouble(box, e, why, false);
        e->next_usec = again_usec(f, busy ? BUSY_USEC : MIN_OF(backoff_delay_usec(BUSY_USEC, e->troubles, manager_random()), USEC_PER_HOUR));
}

static void settle_one(Flight *f, const Member *m) {
        m->entry->flying = false;
        if (!f->unit)
                after_trouble(f, m->box, m->entry, m == f->members);
        else if (challenge_call_succeeded(&f->end))
                after_success(f, m->box, m->entry);
        else
                after_failure(f, m->box, m->entry);
        if (f->unit)
                courier_save(m->box);
        courier_make_ready(m->box);
}

/* One domain in each turn of the loop: files are written for it. */
static int settle(sd_event_source *source, void *userdata) {
        Flight *f = userdata;
        const Member *m = &f->members[f->n_settled++];

        if (m->box)
                settle_one(f, m);
        if (f->n_settled < f->n_members)
                return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        courier_go_on(f->courier);
        flight_free(f);
        return 0;
}

static int note_end(Flight *f, const LauncherHookEnd *end) {
        if (str_replace(&f->result, end->result) < 0 || str_replace(&f->unit, end->unit) < 0)
                return sd_bus_error_set_errno(&f->error, -ENOMEM);
        f->end = (LauncherHookEnd){ .unit = f->unit, .result = f->result, .code = end->code, .status = end->status };
        return 0;
}

static void on_end(const LauncherHookEnd *end, const sd_bus_error *error, void *userdata) {
        Flight *f = userdata;

        if (end)
                (void) note_end(f, end);
        else
                (void) sd_bus_error_copy(&f->error, error);
        (void) sd_event_source_set_enabled(f->settling, SD_EVENT_ONESHOT);
}

/* --- Who goes along --- */

static int add_member(Flight *f, Box *box, OutboxEntry *e) {
        Member *members = reallocarray(f->members, f->n_members + 1, sizeof(*members));

        if (!members)
                return -ENOMEM;
        f->members = members;
        f->members[f->n_members++] = (Member){ box, e };
        return 0;
}

/* The launcher takes the command of the first server that names the domain: these two have the same. */
static bool is_companion(const Domain *a, const Domain *b) {
        return a && b && b->managed && a->n_servers > 0 && b->n_servers > 0 && str_equal(a->servers[0].snapshot->id, b->servers[0].snapshot->id);
}

static int gather(Flight *f, uint64_t now_usec) {
        Box *leader = f->members[0].box, *box;
        const OutboxEntry *first = f->members[0].entry;
        const Domain *d = domain_of(leader);
        size_t size = 0;
        const char *name;
        int r = 0;

        if (!f->courier->storms || !first->cause)
                return 0;
        MAP_FOREACH(f->courier->boxes, name, box) {
                OutboxEntry *e = box != leader && size + strlen(name) < OTHERS_MAX ? outbox_next_of(box->record, first->cause, now_usec) : NULL;

                if (!e || !is_companion(d, domain_of(box)))
                        continue;
                r = add_member(f, box, e);
                if (r < 0)
                        return r;
                size += strlen(name) + 1;
        }
        return 0;
}

static int name_others(const Flight *f, char **ret) {
        _auto_strv_ char **names = NULL;

        for (size_t i = 1; i < f->n_members; i++)
                if (strv_extend(&names, f->members[i].box->record->name) < 0)
                        return -ENOMEM;
        strv_sort(names);
        *ret = strv_join(names, " ");
        return *ret ? 0 : -ENOMEM;
}

/* The words say it, too, to those who show nothing else. */
static int say_how_many(char **fields, size_t n) {
        for (; fields[0] && fields[1]; fields += 2) {
                char *text;

                if (!str_equal(fields[0], FIELD_DETAIL))
                        continue;
                text = str_printf("%s (and %zu other domain%s)", fields[1], n, n > 1 ? "s" : "");
                if (!text)
                        return -ENOMEM;
                free(fields[1]);
                fields[1] = text;
        }
        return 0;
}

static int make_fields(const Flight *f, char ***ret) {
        _auto_strv_ char **fields = strv_copy(f->members[0].entry->fields);
        _auto_free_ char *others = NULL;
        int r = fields ? 0 : -ENOMEM;

        if (r == 0 && f->n_members > 1) {
                r = name_others(f, &others);
                if (r == 0)
                        r = say_how_many(fields, f->n_members - 1);
                if (r == 0)
                        r = strv_extend(&fields, FIELD_OTHERS);
                if (r == 0)
                        r = strv_extend(&fields, others);
        }
        if (r == 0)
                *ret = take_ptr(fields);
        return r;
}

/* --- On its way --- */

static int flight_new(Box *box, OutboxEntry *e, bool notify, Flight **ret) {
        _cleanup_(flight_freep) Flight *f = calloc(1, sizeof(*f));
        Courier *c = box->courier;
        int r;

        if (!f)
                return -ENOMEM;
        *f = (Flight){ .courier = c, .notify = notify };
        r = add_member(f, box, e);
        if (r == 0)
                r = sd_event_add_defer(c->manager->event, &f->settling, settle, f);
        if (r >= 0)
                r = sd_event_source_set_enabled(f->settling, SD_EVENT_OFF);
        if (r < 0)
                return r;
        f->next = c->flights;
        c->flights = f;
        c->n_flights++;
        *ret = take_ptr(f);
        return 0;
}

static void take_off(Flight *f, uint64_t now_usec) {
        const OutboxEntry *first = f->members[0].entry;

        if (f->courier->storms && first->cause && first->failures == 0 && first->troubles == 0 && storms_note_told(f->courier->storms, first->cause, now_usec) < 0)
                (void) log_oom();
        for (size_t i = 0; i < f->n_members; i++) {
                f->members[i].entry->flying = true;
                f->members[i].entry->since_usec = now_usec;
                f->members[i].entry->held_until_usec = 0;
        }
}

int flight_launch(Box *box, OutboxEntry *e, const char *command) {
        _cleanup_(flight_freep) Flight *f = NULL;
        _auto_strv_ char **fields = NULL;
        uint64_t now = clock_now_usec();
        int r;

        r = flight_new(box, e, str_equal(command, "notify"), &f);
        if (r == 0)
                r = gather(f, now);
        if (r == 0)
                r = make_fields(f, &fields);
        if (r == 0)
                r = launcher_run_event(box->courier->manager->bus, box->record->name, event_kind_to_string(e->kind), command, fields, &f->slot, on_end, f);
        if (r < 0)
                return r;
        take_off(f, now);
        take_ptr(f);
        return 0;
}
