/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the hooks of a domain are still to be told, in the order in which it happened, and what they were told last; outbox.json:
 * "name", "vetoed-until", "told" {EVENT: {"when", "subject"}}, "entries" [{"event", "subject", "cause", "failures", "next", "notified", "fields" {NAME: VALUE}}].
 *
 * Of one event there are at most two: one that a hook is being told, and one that waits. A later one takes the place of the one that waits, so that a storm is
 * one message. What was told is not told again within the event's interval, unless it is news: a domain has another certificate. What has the cause of other domains' may be held for a while, to be
 * told with theirs. Pure. */

#include "base/json.h"
#include "base/macro.h"
#include "base/strv.h"
#include "domain/event.h"

enum {
        OUTBOX_FIELDS_MAX = 32,
        OUTBOX_ENTRIES_MAX = 2 * _EVENT_KIND_MAX,
        OUTBOX_SIZE_MAX = 1024 * 1024,
};

typedef struct OutboxEntry {
        EventKind kind;
        char *subject;      /* what it is about: another one is news. NULL: nothing in particular */
        char *cause;        /* what other domains may have, too: domain/cause.h; NULL: its own */
        char **fields;      /* keys and values in turn */
        bool notified;      /* the command of MDNotifyCmd has succeeded */
        unsigned failures;  /* of the hook, in a row */
        uint64_t next_usec; /* not before; 0: now */

        /* at run time */
        uint64_t held_until_usec; /* for others with its cause; not when something comes behind it. 0: it was not looked at yet */
        bool flying;
        uint64_t since_usec; /* when that began */
        unsigned troubles;  /* in a row, on the way to the hook */
} OutboxEntry;

typedef struct OutboxTold {
        uint64_t when_usec; /* 0: never */
        char *subject;
} OutboxTold;

typedef struct Outbox {
        char *name;
        uint64_t vetoed_until_usec; /* no renewal by itself before: the handler of 'renewing' does not want it; 0: nothing of that kind */
        OutboxTold told[_EVENT_KIND_MAX];
        OutboxEntry *entries[OUTBOX_ENTRIES_MAX]; /* oldest first */
        size_t n_entries;
} Outbox;

Outbox *outbox_new(const char *name); /* NULL: out of memory */
Outbox *outbox_free(Outbox *o);
DEFINE_CLEANUP(Outbox *, outbox_free)

/* Whether it was told within the event's interval. A time to come was written while the clock was wrong, and says nothing. */
bool outbox_is_limited(const Outbox *o, EventKind kind, const char *subject, uint64_t now_usec);

enum {
        OUTBOX_DONE,
        OUTBOX_E_LIMITED, /* it was told already, or is being told: that counts as success */
};

/* 'fields' is copied, 'cause' may be NULL. What a later event makes pointless goes: one of the same kind that waits, and warnings of an expiry after a renewal. */
int outbox_add(Outbox *o, EventKind kind, const char *subject, const char *cause, char *const *fields, uint64_t now_usec);

#define OUTBOX_PATIENCE_USEC ((uint64_t) 10 * 1000000)

/* The next one that a hook can be told now; NULL: none. They are told in their order: those behind one wait until its hook has ended, or for OUTBOX_PATIENCE_USEC when
 * that takes long; and as long as it waits itself, for an earlier run of its hook or for the way to it. One whose hook failed has nobody wait. */
OutboxEntry *outbox_next(const Outbox *o, uint64_t now_usec);
/* The same one when it has this cause and can be told together with that of another domain: it need not be held any longer. */
OutboxEntry *outbox_next_of(const Outbox *o, const char *cause, uint64_t now_usec);
/* When there may be one; 0: nothing waits for a time to come. */
uint64_t outbox_wake_usec(const Outbox *o, uint64_t now_usec);

/* The hook was told; the entry is gone. */
int outbox_told(Outbox *o, OutboxEntry *e, uint64_t now_usec);
int outbox_note_told(Outbox *o, EventKind kind, const char *subject, uint64_t now_usec); /* of an event that is no entry */
/* The hook failed. True: it is told again at that time; otherwise the entry is gone, because it is not repeated or a later one waits. */
bool outbox_failed(Outbox *o, OutboxEntry *e, uint64_t next_usec);
void outbox_drop(Outbox *o, OutboxEntry *e);

int outbox_to_json(const Outbox *o, JsonObject **ret);
/* Lenient: what cannot be read counts as missing. -EBADMSG: it is no object at all. */
int outbox_from_json(const char *name, JsonObject *json, Outbox **ret);
