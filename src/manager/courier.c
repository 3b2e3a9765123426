/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/courier.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "bus/launcher-client.h"
#include "manager/challenge-queue.h"
#include "manager/courier-internal.h"
#include "manager/flight.h"
#include "manager/manager-bus.h"
#include "manager/servers.h"
#include "manager/status.h"
#include "store/outbox.h"

#define BUSY_USEC (5 * USEC_PER_SEC)

#define UNSENT_USEC (5 * USEC_PER_SEC)

enum { PENDING_SHOWN = 10000 };

static void leave_ready(Box *box) {
        Courier *c = box->courier;
        Box *before = NULL;

        for (Box *b = c->first_ready; b; before = b, b = b->next_ready) {
                if (b != box)
                        continue;
                *(before ? &before->next_ready : &c->first_ready) = b->next_ready;
                if (c->last_ready == b)
                        c->last_ready = before;
                break;
        }
        box->ready = false;
        box->next_ready = NULL;
}

static Box *box_free(Box *box) {
        if (!box)
                return NULL;
        flights_forget(box->courier, box);
        if (box->ready)
                leave_ready(box);
        sd_event_source_disable_unref(box->clock);
        outbox_free(box->record);
        free(box);
        return NULL;
}

static void box_release(void *box) {
        box_free(box);
}

/* Takes 'record', also on failure. */
static Box *box_new(Courier *c, Outbox *record) {
        Box *box = record ? calloc(1, sizeof(*box)) : NULL;

        if (!box) {
                outbox_free(record);
                return NULL;
        }
        *box = (Box){ .courier = c, .record = record };
        if (map_put(c->boxes, record->name, box) < 0)
                return box_free(box);
        return box;
}

static Box *find_box(Courier *c, const char *name) {
        Box *box = map_get(c->boxes, name);

        if (!box)
                box = box_new(c, outbox_new(name));
        if (!box)
                (void) log_oom();
        return box;
}

void courier_save(Box *box) {
        Courier *c = box->courier;
        Domain *d = manager_find_domain(c->manager, box->record->name);
        int r = store_outbox_write(c->manager->store, box->record);

        if (d) /* "notified" */
                status_changed(c->manager->shown, d);
        if (r != 0 && !c->unwritten_told)
                (void) log_failure(r < 0 ? r : -ENOENT, "%s: Cannot write what hooks are to be told to %s/" STORE_OUTBOX ": %m. It is lost when md-manager ends.",
                                   box->record->name, store_path(c->manager->store));
        c->unwritten_told = r != 0;
}

void courier_go_on(Courier *c) {
        (void) sd_event_source_set_enabled(c->pump, SD_EVENT_ONESHOT);
}

void courier_make_ready(Box *box) {
        Courier *c = box->courier;

        if (!box->ready) {
                *(c->last_ready ? &c->last_ready->next_ready : &c->first_ready) = box;
                c->last_ready = box;
                box->ready = true;
        }
        courier_go_on(c);
}

static int on_clock(sd_event_source *source, uint64_t usec, void *userdata) {
        Box *box = userdata;

        box->clock = sd_event_source_disable_unref(box->clock);
        courier_make_ready(box);
        return 0;
}

static void set_clock(Box *box) {
        uint64_t at = outbox_wake_usec(box->record, clock_now_usec());
        int r;

        box->clock = sd_event_source_disable_unref(box->clock);
        if (at == 0)
                return;
        r = sd_event_add_time(box->courier->manager->event, &box->clock, CLOCK_REALTIME, at, USEC_PER_SEC / 10, on_clock, box);
        if (r < 0)
                (void) log_failure(r, "%s: Cannot set a clock for its hooks: %m", box->record->name);
}

/* --- How it ends --- */

static const char *directive_of(bool notify) {
        return notify ? "MDNotifyCmd" : "MDMessageCmd";
}

static void keep_in_log(Domain *d, EventKind kind, bool notify, bool success, const char *text) {
        _auto_free_ char *type = str_printf("%s-%s", notify ? "notify" : "message", success ? event_kind_to_string(kind) : "error");

        if (!type)
                return;
        /* The numbers are those of mod_md's messages, which scripts look for. */
        (void) job_log_add(d->job, clock_now_usec(), type, success ? NULL : notify ? "urn:org:apache:httpd:log:AH10108:" : "urn:org:apache:httpd:log:AH10109:", text);
        domain_save_job(d);
}

void courier_tell_end(Manager *m, const char *name, EventKind kind, bool notify, const LauncherHookEnd *end, const char *then) {
        const char *event = event_kind_to_string(kind);
        _auto_free_ char *how = challenge_call_describe(end, NULL), *status = str_printf("%d", end->status), *text = NULL;
        Domain *d = manager_find_domain(m, name);
        bool success = challenge_call_succeeded(end);
        LogField fields[] = {
                { "MD_NAME", name }, { "MD_EVENT", event }, { "MD_UNIT", end->unit }, { "MD_RESULT", end->result }, { "MD_EXIT_STATUS", status },
        };

        text = success ? str_printf("The command of %s was told '%s' (%s)", directive_of(notify), event, end->unit) :
                         str_printf("The command of %s failed for '%s': %s%s%s", directive_of(notify), event, str_or(how, "out of memory"), then ? "; " : "", str_or(then, ""));
        if (!text) {
                (void) log_oom();
                return;
        }
        log_full(success ? LOG_DEBUG : LOG_WARNING, 0, success ? NULL : MESSAGE_HOOK_FAILED, fields, ELEMENTSOF(fields), "%s: %s", name, text);
        if (d)
                keep_in_log(d, kind, notify, success, text);
        manager_bus_hook_ended(m, event, name, end);
}

/* --- On their way --- */

/* The launcher takes the commands of the same one: the first server that names the domain, and of certificates without domain the first with a command. */
static const Snapshot *server_of(const Courier *c, const char *name) {
        const Domain *d = manager_find_domain(c->manager, name);
        Snapshot *const *snapshots;
        size_t n;

        if (d || !str_equal(name, EVENT_NAME_OTHER))
                return d && d->n_servers > 0 ? d->servers[0].snapshot : NULL;
        snapshots = servers_snapshots(c->manager->servers, &n);
        for (size_t i = 0; i < n; i++)
                if (strv_length(snapshots[i]->message_cmd) > 0)
                        return snapshots[i];
        return NULL;
}

/* NULL: there is none left. */
static const char *choose_command(const Courier *c, const char *name, EventKind kind, bool notified) {
        const Snapshot *s = server_of(c, name);

        if (s && kind == EVENT_RENEWED && !notified && strv_length(s->notify_cmd) > 0)
                return "notify";
        return s && strv_length(s->message_cmd) > 0 ? "message" : NULL;
}

/* What is kept of a domain that is not known yet, or not managed, waits. */
static bool may_be_told(const Courier *c, const char *name) {
        const Domain *d = manager_find_domain(c->manager, name);

        return d ? d->managed : str_equal(name, EVENT_NAME_OTHER);
}

/* What is to be told now. When other domains were just told of its cause, it waits for more of them. */
static OutboxEntry *choose_entry(Box *box) {
        uint64_t now = clock_now_usec();
        OutboxEntry *e = outbox_next(box->record, now);

        if (!e || !e->cause || !box->courier->storms || e->held_until_usec > 0 || e->failures > 0 || e->troubles > 0)
                return e;
        e->held_until_usec = storms_wait_until(box->courier->storms, e->cause, now);
        return outbox_next(box->record, now);
}

/* One step of what is in the box. True: there may be another one. */
static bool step(Box *box) {
        OutboxEntry *e = may_be_told(box->courier, box->record->name) ? choose_entry(box) : NULL;
        const char *command;
        int r;

        if (!e)
                return false;
        command = choose_command(box->courier, box->record->name, e->kind, e->notified);
        if (!command) {
                if (e->notified)
                        (void) outbox_note_told(box->record, e->kind, e->subject, clock_now_usec());
                outbox_drop(box->record, e);
                courier_save(box);
                return true;
        }
        r = flight_launch(box, e, command);
        if (r < 0) {
                (void) log_failure(r, "%s: Cannot ask for the hook for '%s': %m", box->record->name, event_kind_to_string(e->kind));
                e->next_usec = usec_add(clock_now_usec(), UNSENT_USEC);
        }
        return r >= 0;
}

/* Domains take turns. */
static int pump(sd_event_source *source, void *userdata) {
        Courier *c = userdata;

        while (c->first_ready && c->n_flights < FLIGHTS_MAX) {
                Box *box = c->first_ready;

                leave_ready(box);
                if (step(box))
                        courier_make_ready(box);
                else
                        set_clock(box);
        }
        return 0;
}

int courier_new(Manager *m, Courier **ret) {
        Courier *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->manager = m;
        c->boxes = map_new();
        if (m->settings.hook_merge_usec > 0)
                c->storms = storms_new(m->settings.hook_merge_usec);
        r = c->boxes && (c->storms || m->settings.hook_merge_usec == 0) ? sd_event_add_defer(m->event, &c->pump, pump, c) : -ENOMEM;
        if (r >= 0)
                r = sd_event_source_set_enabled(c->pump, SD_EVENT_OFF);
        if (r < 0) {
                courier_free(c);
                return r;
        }
        *ret = c;
        return 0;
}

Courier *courier_free(Courier *c) {
        if (!c)
                return NULL;
        flights_free_all(c);
        map_free_with(c->boxes, box_release);
        storms_free(c->storms);
        sd_event_source_disable_unref(c->pump);
        free(c);
        return NULL;
}

static void read_box(Courier *c, const char *name) {
        Outbox *record = NULL;
        int r = store_outbox_read(c->manager->store, name, &record);

        if (r == STORE_OUTBOX_E_DAMAGED)
                log_warning("%s: " STORE_OUTBOX "/%s/" STORE_FILE_OUTBOX " was damaged; what hooks were to be told is lost.", name, name);
        else if (r < 0)
                (void) log_failure(r, "%s: Cannot read " STORE_OUTBOX "/%s/" STORE_FILE_OUTBOX ": %m", name, name);
        if (record && !box_new(c, record))
                (void) log_oom();
}

void courier_start(Courier *c) {
        _auto_strv_ char **names = NULL;
        int r = store_outbox_list(c->manager->store, &names);

        if (r < 0)
                (void) log_failure(r, "Cannot read what hooks are to be told in %s/" STORE_OUTBOX ": %m", store_path(c->manager->store));
        STRV_FOREACH(name, names) {
                (void) store_tidy(c->manager->store, STORE_OUTBOX, *name);
                read_box(c, *name);
        }
}

void courier_kick(Courier *c) {
        const char *name;
        Box *box;

        MAP_FOREACH(c->boxes, name, box)
                if (box->record->n_entries > 0)
                        courier_make_ready(box);
}

void courier_add(Courier *c, const char *name, EventKind kind, const char *subject, const char *cause, char *const *fields) {
        Box *box;
        int r;

        if (!choose_command(c, name, kind, false))
                return;
        box = find_box(c, name);
        if (!box)
                return;
        r = outbox_add(box->record, kind, subject, cause, fields, clock_now_usec());
        if (r < 0)
                (void) log_oom();
        if (r != OUTBOX_DONE)
                return;
        courier_save(box);
        courier_make_ready(box);
}

void courier_keep(Courier *c, const char *name) {
        _cleanup_(outbox_freep) Outbox *found = NULL;
        Box *box = map_get(c->boxes, name);
        int r;

        if (!box)
                return;
        r = store_outbox_read(c->manager->store, name, &found);
        if (r == STORE_OUTBOX_E_NOT_FOUND || r == STORE_OUTBOX_E_DAMAGED)
                courier_save(box);
}

void courier_forget(Courier *c, const char *name) {
        int r = store_outbox_remove(c->manager->store, name);

        if (r < 0)
                (void) log_failure(r, "%s: Cannot remove " STORE_OUTBOX "/%s: %m", name, name);
        box_free(map_remove(c->boxes, name));
}

void courier_rename(Courier *c, const char *from, const char *to) {
        box_free(map_remove(c->boxes, from));
        if (!map_get(c->boxes, to))
                read_box(c, to);
}

/* --- Before a renewal --- */

bool courier_asks_before(Courier *c, const Domain *d) {
        const Box *box = map_get(c->boxes, DOMAIN_NAME(d));

        return choose_command(c, DOMAIN_NAME(d), EVENT_RENEWING, false) && !(box && outbox_is_limited(box->record, EVENT_RENEWING, NULL, clock_now_usec()));
}

void courier_note_consent(Courier *c, const Domain *d) {
        Box *box = find_box(c, DOMAIN_NAME(d));

        if (!box)
                return;
        box->record->vetoed_until_usec = 0;
        (void) outbox_note_told(box->record, EVENT_RENEWING, NULL, clock_now_usec());
        courier_save(box);
}

void courier_note_veto(Courier *c, const Domain *d, uint64_t until_usec) {
        Box *box = find_box(c, DOMAIN_NAME(d));

        if (!box)
                return;
        box->record->vetoed_until_usec = until_usec;
        courier_save(box);
}

uint64_t courier_vetoed_until(Courier *c, const Domain *d) {
        const Box *box = map_get(c->boxes, DOMAIN_NAME(d));

        return box && choose_command(c, DOMAIN_NAME(d), EVENT_RENEWING, false) ? box->record->vetoed_until_usec : 0;
}

bool courier_has_pending(const Courier *c, const Domain *d, EventKind kind) {
        const Box *box = map_get(c->boxes, DOMAIN_NAME(d));

        for (size_t i = 0; box && i < box->record->n_entries; i++)
                if (kind == _EVENT_KIND_MAX || box->record->entries[i]->kind == kind)
                        return true;
        return false;
}

static int append_entries(sd_bus_message *reply, const Outbox *o) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < o->n_entries; i++) {
                const OutboxEntry *e = o->entries[i];

                r = sd_bus_message_append(reply, "(ssubt)", o->name, event_kind_to_string(e->kind), (uint32_t) e->failures, (int) e->flying,
                                          MAX_OF(e->next_usec, e->held_until_usec));
        }
        return r;
}

int courier_append_pending(const Courier *c, sd_bus_message *reply) {
        const char *name;
        size_t n = 0;
        Box *box;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(ssubt)");
        MAP_FOREACH(c->boxes, name, box)
                if (r >= 0 && n < PENDING_SHOWN) {
                        r = append_entries(reply, box->record);
                        n += box->record->n_entries;
                }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}
