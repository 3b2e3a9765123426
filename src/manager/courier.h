/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Brings events to the hooks of the servers' configuration (MDNotifyCmd, MDMessageCmd), by way of the launcher, and hears how they end. What is to be told is on
 * disk before a hook is told, and leaves it when that hook has ended: each event is told at least once, over crashes and reboots. */

#include "bus/launcher-client.h"
#include "domain/event.h"
#include "manager/domain.h"

int courier_new(Manager *m, Courier **ret);
Courier *courier_free(Courier *c);

/* Reads what is on disk. */
void courier_start(Courier *c);
/* The servers may have changed what is run: whatever waits is looked at again. */
void courier_kick(Courier *c);

/* 'name': of a domain, or EVENT_NAME_OTHER. 'subject': another one is news, whatever the event's interval (domain/outbox.h); 'cause': what several domains may have (domain/cause.h); both may be NULL. 'fields' alternates keys and values. Nothing is kept when no
 * command is configured. */
void courier_add(Courier *c, const char *name, EventKind kind, const char *subject, const char *cause, char *const *fields);

/* Somebody may have changed the file: what is missing on disk is written again. */
void courier_keep(Courier *c, const char *name);

/* No server names the domain any more. */
void courier_forget(Courier *c, const char *name);
/* Its files have another name now. */
void courier_rename(Courier *c, const char *from, const char *to);

/* Whether the command of MDMessageCmd is to be asked before a renewal. */
bool courier_asks_before(Courier *c, const Domain *d);
/* What it answered. */
void courier_note_consent(Courier *c, const Domain *d);
void courier_note_veto(Courier *c, const Domain *d, uint64_t until_usec);
uint64_t courier_vetoed_until(Courier *c, const Domain *d); /* 0: not */

/* Whether hooks are still to be told of such an event of the domain, or of any when 'kind' is _EVENT_KIND_MAX. */
bool courier_has_pending(const Courier *c, const Domain *d, EventKind kind);
/* Appends an array of all that hooks are still to be told, at most some 10,000, as GetPendingHooks() of org.mdmanager1.Manager answers. */
int courier_append_pending(const Courier *c, sd_bus_message *reply);

/* How the hook ended, for everybody: the journal, the job's log, a signal on the bus. 'then' may be NULL. */
void courier_tell_end(Manager *m, const char *name, EventKind kind, bool notify, const LauncherHookEnd *end, const char *then);
