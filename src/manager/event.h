/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Telling what happens to a domain, once and to everybody: the journal with fields and a message id, the job's log, a signal on the bus, and the hook that the
 * server's configuration names. */

#include "base/problem.h"
#include "domain/event.h"
#include "manager/domain.h"

const char *event_log_type(EventKind kind); /* its word in the log of job.json */

/* What a hook of the domain is told about such an event: keys and values in turn. 'problem' may be NULL. */
int event_collect_fields(const Domain *d, EventKind kind, const Problem *problem, const char *text, char ***ret);

/* "challenge-setup:TYPE:NAME": to the journal and the bus; the hook of this event is asked where the challenge waits for it. */
void event_tell_challenge(Domain *d, const char *type, const char *identifier);

/* What happens to a certificate that no domain has; all of it is borrowed. */
typedef struct OtherEvent {
        const char *name;       /* EVENT_NAME_OTHER; or a domain that is not known, of which no hook is told */
        char *const *serials;   /* the one that it is about comes first */
        const Problem *problem; /* may be NULL */
        const char *text;
} OtherEvent;
void event_tell_other(Manager *m, EventKind kind, const OtherEvent *e);

/* 'problem' may be NULL. */
void event_tell(Domain *d, EventKind kind, const Problem *problem, const char *format, ...) _printf_(4, 5);
