/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Telling what happens to a domain, once and to everybody: the journal with fields and a message id, the job's log, a signal on the bus, and the hook that the
 * server's configuration names. */

#include "base/problem.h"
#include "manager/domain.h"

typedef enum EventKind {
        EVENT_RENEWING,       /* an attempt begins */
        EVENT_RENEWED,        /* a new set is live in the store */
        EVENT_INSTALLED,      /* a server was seen serving it */
        EVENT_ERRORED,        /* an attempt failed */
        EVENT_EXPIRING,       /* the warn window is open, and nothing has renewed it: at most once a day */
        EVENT_RELOAD_FAILED,
        EVENT_RELOAD_PENDING, /* no reload is possible or wanted: somebody has to */
        EVENT_SERVED_DIFFERS, /* after a reload the server still serves something else */
        EVENT_STORE_DAMAGED,  /* something in the store was missing or torn, and was mended */
        _EVENT_KIND_MAX,
} EventKind;

/* 'problem' may be NULL. */
void event_tell(Domain *d, EventKind kind, const Problem *problem, const char *format, ...) _printf_(4, 5);

const char *event_kind_to_string(EventKind kind);
