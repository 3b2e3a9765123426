/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The events of a domain: one table for the manager, which tells of them, and the launcher, which runs hooks for them. */

#include "base/macro.h"

typedef enum EventKind {
        EVENT_RENEWING,       /* an attempt begins */
        EVENT_RENEWED,        /* a new set is live in the store */
        EVENT_INSTALLED,      /* a server was seen serving it */
        EVENT_ERRORED,        /* an attempt failed */
        EVENT_EXPIRING,       /* the warn window is open, and nothing has renewed it: at each step of urgency, and once a day */
        EVENT_RELOAD_FAILED,
        EVENT_RELOAD_PENDING, /* no reload is possible or wanted: somebody has to */
        EVENT_SERVED_DIFFERS, /* after a reload the server still serves something else */
        EVENT_STORE_DAMAGED,  /* something in the store was missing or torn, and was mended */
        EVENT_RENEWAL_INFO,   /* the CA says when to renew (RFC 9773), and it is news */
        EVENT_ROLLED_BACK,    /* an earlier set is live again: somebody wanted that */
        EVENT_TARGET_FAILED,  /* another service does not have what it is to have (md-manager.targets(5)) */
        EVENT_RATE_LIMITED,   /* the CA says that it is asked too much */
        EVENT_REVOKED,        /* a certificate was, or the CA says so */
        EVENT_CONFIGURATION_REFUSED, /* the server disabled the domain */
        EVENT_STALLED,        /* nothing would have happened to it any more, for no reason: a fault of ours (manager/stall.h) */
        EVENT_CHALLENGE_SETUP, /* of hooks that a challenge waits for (launcher/challenge-hook.h) */
        EVENT_CHALLENGE_TEARDOWN,
        EVENT_OCSP_RENEWED, /* of what is stapled */
        EVENT_OCSP_ERRORED,
        _EVENT_KIND_MAX,
} EventKind;

/* mod_md's name for certificates of no managed domain that are stapled. */
#define EVENT_NAME_OTHER "other"

const char *event_kind_to_string(EventKind kind) _pure_;
bool event_kind_from_string(const char *name, EventKind *ret); /* false: this is none */

/* Whether the manager tells it by what MDMessageCmd names when it has happened. What others wait for is run where they wait. */
bool event_kind_has_hook(EventKind kind) _pure_;
/* Whether it may be about EVENT_NAME_OTHER. */
bool event_kind_concerns_other(EventKind kind) _pure_;
/* Whether the hook is root: in mod_md it is the one that may take certificates to other services. */
bool event_kind_runs_as_root(EventKind kind) _pure_;
/* Whether a hook that fails is run again, less and less often, until it succeeds. */
bool event_kind_is_repeated(EventKind kind) _pure_;
/* Whether one hook is told it of several domains, when there is one reason for all of them. What somebody should see to is; not what is done for each domain: asking
 * for consent, and taking new certificates elsewhere. */
bool event_kind_is_merged(EventKind kind) _pure_;
/* How long after a hook succeeded the same thing is not told again; 0: it always is. */
uint64_t event_kind_interval_usec(EventKind kind) _pure_;
