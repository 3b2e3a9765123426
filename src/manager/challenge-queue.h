/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Hooks that a challenge waits for, or (in a queue of their own) a renewal, on their way through the launcher: one after the other for each domain, some at a time. What finds no place waits. */

#include "bus/launcher-client.h"
#include "manager/manager.h"

typedef struct ChallengeQueue ChallengeQueue;
typedef struct ChallengeCall ChallengeCall;

typedef enum ChallengeCallKind {
        CHALLENGE_CALL_SETUP,    /* MDChallengeDns01 */
        CHALLENGE_CALL_TEARDOWN,
        CHALLENGE_CALL_EVENT,    /* MDMessageCmd */
        CHALLENGE_CALL_RENEWING, /* MDMessageCmd, before a renewal, with 'fields' */
} ChallengeCallKind;

typedef struct ChallengeCallSpec {
        ChallengeCallKind kind;
        const char *domain;
        const char *type;  /* of an event */
        const char *name;
        const char *value; /* of a record */
        char *const *fields; /* keys and values in turn */
        int (*begin)(void *userdata); /* just before it is run; negative: it is not. May be NULL */
        /* When it has ended, or failed; the call is over. */
        LauncherHookHandler handler;
        void *userdata;
} ChallengeCallSpec;

int challenge_queue_new(Manager *m, ChallengeQueue **ret);
ChallengeQueue *challenge_queue_free(ChallengeQueue *q);

int challenge_call_new(ChallengeQueue *q, const ChallengeCallSpec *spec, ChallengeCall **ret);
/* Before its end: nobody hears of it any more. What runs goes on, and keeps its place. */
ChallengeCall *challenge_call_free(ChallengeCall *c);

/* What had to wait for others may be able to run, in the next round of the loop. */
void challenge_queue_kick(ChallengeQueue *q);

bool challenge_call_succeeded(const LauncherHookEnd *end);
/* There was nothing that could be run: the command is not there, or the launcher refuses. */
bool challenge_call_was_not_run(const LauncherHookEnd *end);
/* For people: how it ended, and where to read more. NULL: out of memory. */
char *challenge_call_describe(const LauncherHookEnd *end, const sd_bus_error *error);
