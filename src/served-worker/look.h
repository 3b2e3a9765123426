/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Looks at many certificates that listeners of this machine show, some at a time. Each is looked at until it is one of those that are expected, several times in a
 * row: after a reload, children of before may still take connections. What is not is looked at again until the time is over. */

#include "base/macro.h"

typedef struct LookRequest {
        uint64_t token;    /* the caller's */
        char **addresses;  /* each that takes connections counts, and one has to */
        uint16_t port;
        const char *name;  /* "": none is asked for */
        const char *kind;  /* of key (served-worker/visit.h) */
        char **expected;   /* fingerprints: any of them is right */
} LookRequest;

/* The end of one: what was shown last, "" when nothing was; 'where' and 'why' are for people, "" when it is right. Negative errno: nothing more is wanted. */
typedef int (*LookHandler)(uint64_t token, const char *fingerprint, const char *where, const char *why, void *userdata);

typedef struct Looker Looker;

/* All looks have 'time_usec' from their beginning. */
int looker_new(uint64_t time_usec, LookHandler handler, void *userdata, Looker **ret);
Looker *looker_free(Looker *l);
DEFINE_CLEANUP(Looker *, looker_free)

/* Takes copies. -EINVAL: what is asked for makes no sense. */
int looker_add(Looker *l, const LookRequest *request);
size_t looker_count(const Looker *l);

/* Lets some of it happen; waits a second at the most. What fails is logged; the handler's failures are its own. */
int looker_run(Looker *l);
