/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "domain/backoff.h"

#define NEXT_MAX_USEC (2 * BACKOFF_MAX_USEC) /* further ahead nothing is put off: the clock was wrong */

static OutboxEntry *entry_free(OutboxEntry *e) {
        if (!e)
                return NULL;
        strv_free(e->fields);
        free(e->cause);
        free(e->subject);
        free(e);
        return NULL;
}
DEFINE_CLEANUP(OutboxEntry *, entry_free)

static OutboxEntry *entry_new(EventKind kind, const char *subject, const char *cause, char *const *fields) {
        _cleanup_(entry_freep) OutboxEntry *e = calloc(1, sizeof(*e));

        if (!e || str_replace(&e->subject, subject) < 0 || str_replace(&e->cause, cause) < 0)
                return NULL;
        e->kind = kind;
        e->fields = strv_copy(fields);
        return e->fields ? take_ptr(e) : NULL;
}

Outbox *outbox_new(const char *name) {
        Outbox *o = calloc(1, sizeof(*o));

        if (o && str_replace(&o->name, name) < 0)
                return outbox_free(o);
        return o;
}

Outbox *outbox_free(Outbox *o) {
        if (!o)
                return NULL;
        for (size_t i = 0; i < o->n_entries; i++)
                entry_free(o->entries[i]);
        for (size_t i = 0; i < ELEMENTSOF(o->told); i++)
                free(o->told[i].subject);
        free(o->name);
        free(o);
        return NULL;
}

bool outbox_is_limited(const Outbox *o, EventKind kind, const char *subject, uint64_t now_usec) {
        const OutboxTold *told;

        assert(o);
        assert((size_t) kind < ELEMENTSOF(o->told));

        told = &o->told[kind];
        return told->when_usec > 0 && told->when_usec <= now_usec && now_usec - told->when_usec < event_kind_interval_usec(kind) && str_equal(told->subject, subject);
}

void outbox_drop(Outbox *o, OutboxEntry *e) {
        size_t i = 0;

        while (i < o->n_entries && o->entries[i] != e)
                i++;
        assert(i < o->n_entries);

        entry_free(e);
        o->n_entries--;
        memmove(&o->entries[i], &o->entries[i + 1], (o->n_entries - i) * sizeof(*o->entries));
}

static void drop_waiting(Outbox *o, EventKind kind) {
        for (size_t i = o->n_entries; i-- > 0;)
                if (o->entries[i]->kind == kind && !o->entries[i]->flying)
                        outbox_drop(o, o->entries[i]);
}

/* The same is being told right now. What is about nothing in particular is new each time. */
static bool is_flying(const Outbox *o, EventKind kind, const char *subject) {
        for (size_t i = 0; i < o->n_entries; i++)
                if (o->entries[i]->kind == kind && o->entries[i]->flying && subject && str_equal(o->entries[i]->subject, subject))
                        return true;
        return false;
}

int outbox_add(Outbox *o, EventKind kind, const char *subject, const char *cause, char *const *fields, uint64_t now_usec) {
        OutboxEntry *e;

        assert(o);
        assert((size_t) kind < ELEMENTSOF(o->told));

        if (outbox_is_limited(o, kind, subject, now_usec) || is_flying(o, kind, subject))
                return OUTBOX_E_LIMITED;
        e = entry_new(kind, subject, cause, fields);
        if (!e)
                return -ENOMEM;
        drop_waiting(o, kind);
        if (kind == EVENT_RENEWED)
                drop_waiting(o, EVENT_EXPIRING);
        assert(o->n_entries < ELEMENTSOF(o->entries));
        o->entries[o->n_entries++] = e;
        return OUTBOX_DONE;
}

static bool is_past(uint64_t at_usec, uint64_t now_usec) {
        return at_usec <= now_usec || at_usec - now_usec > NEXT_MAX_USEC;
}

/* What comes behind it must not wait for other domains. */
static bool is_held(const Outbox *o, const OutboxEntry *e, uint64_t now_usec) {
        return e == o->entries[o->n_entries - 1] && !is_past(e->held_until_usec, now_usec);
}

static OutboxEntry *find_next(const Outbox *o, uint64_t now_usec) {
        bool flying[_EVENT_KIND_MAX] = {};

        for (size_t i = 0; i < o->n_entries; i++)
                flying[o->entries[i]->kind] |= o->entries[i]->flying;
        for (size_t i = 0; i < o->n_entries; i++) {
                OutboxEntry *e = o->entries[i];

                if (e->flying && e->since_usec <= now_usec && now_usec - e->since_usec < OUTBOX_PATIENCE_USEC)
                        return NULL;
                if (e->flying)
                        continue;
                if (!flying[e->kind] && is_past(e->next_usec, now_usec))
                        return e;
                if (e->failures == 0)
                        return NULL;
        }
        return NULL;
}

OutboxEntry *outbox_next(const Outbox *o, uint64_t now_usec) {
        OutboxEntry *e;

        assert(o);

        e = find_next(o, now_usec);
        return e && !is_held(o, e, now_usec) ? e : NULL;
}

OutboxEntry *outbox_next_of(const Outbox *o, const char *cause, uint64_t now_usec) {
        OutboxEntry *e;

        assert(o);
        assert(cause);

        e = find_next(o, now_usec);
        return e && str_equal(e->cause, cause) ? e : NULL;
}

uint64_t outbox_wake_usec(const Outbox *o, uint64_t now_usec) {
        uint64_t at = 0;

        assert(o);

        for (size_t i = 0; i < o->n_entries; i++) {
                const OutboxEntry *e = o->entries[i];
                uint64_t next = e->flying ? usec_add(e->since_usec, OUTBOX_PATIENCE_USEC) : MAX_OF(e->next_usec, e->held_until_usec);

                if (next > now_usec && (at == 0 || next < at))
                        at = next;
        }
        return at;
}

int outbox_note_told(Outbox *o, EventKind kind, const char *subject, uint64_t now_usec) {
        assert(o);
        assert((size_t) kind < ELEMENTSOF(o->told));

        if (str_replace(&o->told[kind].subject, subject) < 0)
                return -ENOMEM;
        o->told[kind].when_usec = now_usec;
        return 0;
}

int outbox_told(Outbox *o, OutboxEntry *e, uint64_t now_usec) {
        int r = outbox_note_told(o, e->kind, e->subject, now_usec);

        outbox_drop(o, e);
        return r;
}

static bool has_later(const Outbox *o, const OutboxEntry *e) {
        for (size_t i = o->n_entries; i-- > 0 && o->entries[i] != e;)
                if (o->entries[i]->kind == e->kind)
                        return true;
        return false;
}

bool outbox_failed(Outbox *o, OutboxEntry *e, uint64_t next_usec) {
        if (!event_kind_is_repeated(e->kind) || has_later(o, e)) {
                outbox_drop(o, e);
                return false;
        }
        e->flying = false;
        if (e->failures < UINT32_MAX)
                e->failures++;
        e->next_usec = next_usec;
        return true;
}

/* To JSON */

static int fields_to_json(char *const *fields, JsonObject *o) {
        JsonObject *list = json_object_new_object();

        if (!list)
                return -ENOMEM;
        for (; fields && fields[0] && fields[1]; fields += 2)
                if (json_add_string(list, fields[0], fields[1]) < 0) {
                        (void) json_object_put(list);
                        return -ENOMEM;
                }
        return json_add_object(o, "fields", list);
}

static int entry_to_json(const OutboxEntry *e, JsonObject *list) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_string(o, "event", event_kind_to_string(e->kind)) < 0 || json_add_string(o, "subject", e->subject) < 0 ||
            json_add_string(o, "cause", e->cause) < 0 || (e->failures > 0 && json_add_uint(o, "failures", e->failures) < 0) || json_add_time(o, "next", usec_round_up(e->next_usec)) < 0 ||
            (e->notified && json_add_bool(o, "notified", true) < 0) || fields_to_json(e->fields, o) < 0)
                return -ENOMEM;
        if (json_object_array_add(list, o) < 0)
                return -ENOMEM;
        take_ptr(o);
        return 0;
}

static int entries_to_json(const Outbox *outbox, JsonObject *o) {
        JsonObject *list = json_object_new_array();
        int r = list ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < outbox->n_entries; i++)
                r = entry_to_json(outbox->entries[i], list);
        if (r < 0) {
                (void) json_object_put(list);
                return r;
        }
        return json_add_object(o, "entries", list);
}

static int told_to_json(const Outbox *outbox, JsonObject *o) {
        _auto_json_ JsonObject *all = json_object_new_object();

        for (size_t i = 0; all && i < ELEMENTSOF(outbox->told); i++) {
                const OutboxTold *told = &outbox->told[i];
                _auto_json_ JsonObject *one = NULL;

                if (told->when_usec == 0)
                        continue;
                one = json_object_new_object();
                if (!one || json_add_time(one, "when", told->when_usec) < 0 || json_add_string(one, "subject", told->subject) < 0 ||
                    json_add_object(all, event_kind_to_string((EventKind) i), take_ptr(one)) < 0)
                        return -ENOMEM;
        }
        return all ? json_add_object(o, "told", take_ptr(all)) : -ENOMEM;
}

int outbox_to_json(const Outbox *outbox, JsonObject **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();

        assert(outbox);
        assert(ret);

        if (!o || json_add_string(o, "name", outbox->name) < 0 || json_add_time(o, "vetoed-until", usec_round_up(outbox->vetoed_until_usec)) < 0 ||
            told_to_json(outbox, o) < 0 || entries_to_json(outbox, o) < 0)
                return -ENOMEM;
        *ret = take_ptr(o);
        return 0;
}

/* From JSON */

static int read_fields(JsonObject *o, char ***ret) {
        _auto_strv_ char **fields = NULL;
        JsonObject *list = json_get_object(o, "fields");
        size_t n = 0;

        if (list) {
                json_object_object_foreach(list, key, value) {
                        const char *text = json_get_string(list, key);

                        (void) value;
                        if (!text || ++n > OUTBOX_FIELDS_MAX)
                                continue;
                        if (strv_extend(&fields, key) < 0 || strv_extend(&fields, text) < 0)
                                return -ENOMEM;
                }
        }
        *ret = take_ptr(fields);
        return 0;
}

static bool has_room(const Outbox *outbox, EventKind kind) {
        size_t n = 0;

        for (size_t i = 0; i < outbox->n_entries; i++)
                n += outbox->entries[i]->kind == kind;
        return n < 2;
}

static int read_entry(Outbox *outbox, JsonObject *o) {
        _cleanup_(entry_freep) OutboxEntry *e = NULL;
        _auto_strv_ char **fields = NULL;
        uint64_t failures = 0;
        EventKind kind;
        int r;

        if (!event_kind_from_string(json_get_string(o, "event"), &kind) || !event_kind_has_hook(kind) || !has_room(outbox, kind))
                return 0;
        r = read_fields(o, &fields);
        if (r < 0)
                return r;
        e = entry_new(kind, json_get_string(o, "subject"), event_kind_is_merged(kind) ? json_get_string(o, "cause") : NULL, fields);
        if (!e)
                return -ENOMEM;
        if (json_get_uint(o, "failures", &failures))
                e->failures = (unsigned) MIN_OF(failures, (uint64_t) UINT32_MAX);
        e->next_usec = json_get_time(o, "next");
        e->notified = json_get_bool(o, "notified", false);
        outbox->entries[outbox->n_entries++] = take_ptr(e);
        return 0;
}

static int read_entries(Outbox *outbox, JsonObject *o) {
        JsonObject *list = json_get_array(o, "entries");
        size_t n = list ? json_object_array_length(list) : 0;

        for (size_t i = 0; i < n; i++) {
                JsonObject *e = json_object_array_get_idx(list, i);
                int r = json_object_is_type(e, json_type_object) ? read_entry(outbox, e) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_told(Outbox *outbox, JsonObject *o) {
        JsonObject *all = json_get_object(o, "told");

        for (size_t i = 0; all && i < ELEMENTSOF(outbox->told); i++) {
                JsonObject *one = json_get_object(all, event_kind_to_string((EventKind) i));
                uint64_t when = one ? json_get_time(one, "when") : 0;
                int r = when > 0 ? outbox_note_told(outbox, (EventKind) i, json_get_string(one, "subject"), when) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

int outbox_from_json(const char *name, JsonObject *o, Outbox **ret) {
        _cleanup_(outbox_freep) Outbox *outbox = NULL;
        int r;

        assert(name);
        assert(ret);

        if (!json_object_is_type(o, json_type_object))
                return -EBADMSG;
        outbox = outbox_new(name);
        r = outbox ? read_told(outbox, o) : -ENOMEM;
        if (r == 0)
                r = read_entries(outbox, o);
        if (r < 0)
                return r;
        outbox->vetoed_until_usec = json_get_time(o, "vetoed-until");
        *ret = take_ptr(outbox);
        return 0;
}
