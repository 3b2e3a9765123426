/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Something that a worker does for us at a CA: a renewal (manager/renewal.h), or one of the smaller things. What they have in common: the object on the bus,
 * the queue and the place in it, the worker's connection, the account, the URLs that may be signed for, the deadline, and one way to end. */

#include "bus/peer.h"
#include "crypto/openssl-util.h"
#include "domain/domain.h"
#include "manager/manager.h"
#include "store/account.h"

typedef struct Task Task;

typedef enum TaskState {
        TASK_QUEUED,   /* waits for a place */
        TASK_STARTING, /* a worker is being started, or waits for the CA's account */
        TASK_OPEN,     /* a worker has it */
        _TASK_STATE_MAX,
} TaskState;

typedef struct TaskClass {
        const char *kind; /* what Open() tells the worker */

        /* It has a place: checks what can be known here, and writes what must be on disk before the CA hears of it. May be NULL. */
        int (*prepare)(Task *t, Problem **ret_problem);
        /* Sets t->account and t->account_key, and t->registering when the CA is to be asked for one. May be NULL: it needs none. */
        int (*choose_account)(Task *t, Problem **ret_problem);
        /* Adds to the details of Open(). */
        int (*describe)(Task *t, sd_bus_message *details);
        /* Sign(): outcomes of manager/sign.h. */
        int (*sign)(Task *t, const char *kind, const char *url, const char *nonce, char **ret_body, Problem **ret_problem);
        /* Others at this CA wait until it has ended, and it waits for them. */
        bool exclusive;
        /* AccountCreated(): the CA made the account, or found it. NULL: accounts_created() is all. */
        int (*account_created)(Task *t, const char *url, Problem **ret_problem);
        /* AccountDone(): the CA did what was signed for to the account. May be NULL: it is no task about an account. */
        int (*account_done)(Task *t, const char *status, Problem **ret_problem);
        /* The worker said good-bye; 'problem' NULL: it has nothing to complain of. May be NULL: that is the end. */
        void (*close)(Task *t, const Problem *problem);
        /* The end, 'problem' NULL: it went well. Tells whom it concerns and frees the task with task_done() and its own memory. */
        void (*end)(Task *t, const Problem *problem);
        /* At shutdown: frees it without a word. */
        void (*release)(Task *t);

        uint64_t steps_max; /* its deadline, in StepTimeoutSec= */
} TaskClass;

/* What the worker told of the CA's directory, and what was signed for in this conversation. */
typedef struct TaskBinding {
        char *new_account, *new_order, *revoke_cert, *key_change, *renewal_info; /* NULL: the directory has none, or is not told yet */
        char *terms_of_service;
        char **profiles;
        bool directory_known;
        bool signed_for;       /* something was, with these URLs: they stay what they are */
        bool external_account_required;
        bool account_signed;   /* a new-account request was signed for and not answered yet */
        bool update_signed;    /* … and one to tell the account's CA what is configured */
        bool account_asked;    /* something was signed in the account's name: the CA may have said that it does not know it */
        bool account_rejected; /* once in a run */
        bool account_made;     /* its key is new: no CA has seen it */
        bool account_lookup;   /* none is made: the account of the key is looked for */
        bool account_next;     /* … and the key is the next one, which may have taken its place */
        char **contacts;       /* that the CA was told; NULL: none */
        bool agreed;           /* it was told consent to terms_of_service */
} TaskBinding;

struct Task {
        const TaskClass *class;
        Manager *manager;
        char *path;    /* on the bus */
        char *subject; /* for people: the domain, the account */
        uint64_t id;
        TaskState state;
        bool held; /* it stays in the queue: somebody is asked whether it may begin */
        uint64_t started_usec;
        ManagedDomain *settings; /* as they were when it began: CA, trust, proxy, contacts, … */
        char *ca_url;            /* of these settings */

        /* The worker */
        sd_bus_message *open; /* Open() that waits for its answer */
        char *sender;         /* who has it open */
        PeerWatch *peer;      /* that connection, from its Open() on */
        struct Batch *batch;  /* the worker is one of these; NULL: it has a unit of its own */
        sd_event_source *deadline;
        unsigned calls;       /* there is an end to what one task may ask */
        char *activity;
        uint64_t activity_told_usec; /* monotonic: signals for it are at most one a second */
        Problem *refusal;            /* the first problem that we told the worker: it knows less than we do */

        TaskBinding binding;
        char *wanted_account; /* the id of the one that is preferred; NULL: whichever fits */
        Account *account;
        EVP_PKEY *account_key;
        bool registering; /* holds the CA's registration */
};

/* Puts it into the queue and on the bus. 'settings' is copied. On failure the caller releases 't' with task_done(). */
int task_init(Task *t, Manager *m, const TaskClass *class, const char *subject, const ManagedDomain *settings, const char *ca_url);
/* Takes it out of everything and frees what it holds, but not 't'. */
void task_done(Task *t);

/* It has a place now: prepares it. False: it ended. */
bool task_begin(Task *t);
/* A worker wants it (unit and user are proven): takes the message, answers now, when there is a place, or when the CA's account is there. */
void task_open(Task *t, sd_bus_message *open);
void task_end(Task *t, const Problem *problem);
/* The connection of its worker is gone. */
void task_worker_gone(Task *t);
/* Its worker has done its part, and there is another one: back into the queue, with the same path. Directory, account and worker are forgotten. */
void task_requeue(Task *t);

/* Refuses what the worker asked, with a problem: what we refuse is better known here than by the worker, which only passes our words on. 'p' is
 * borrowed, may be NULL. Returns the negative errno for sd-bus. */
int task_refuse(Task *t, const char *name, const Problem *p, sd_bus_error *error);

int task_set_deadline(Task *t, uint64_t usec);
/* The worker waits for something of ours: it may take this much longer than it may anyway. */
void task_give_time(Task *t, uint64_t usec);

/* An account for the CA is there now, or somebody gave up registering: whoever waits goes on. */
void task_wake_waiting(Manager *m, const char *ca_url);

/* Both are for the same CA over the same way: one connection can serve both. */
bool task_same_way(const Task *a, const Task *b);
/* The oldest one that waits for a place and has no worker of its own; 'like' NULL: whatever way. NULL: none. */
Task *task_next_queued(const Manager *m, const Task *like);
/* … and that a worker can do. */
Task *task_next_for_worker(const Manager *m, const Task *like);
size_t task_count_queued(const Manager *m, const Task *like);
unsigned task_count_busy(const Manager *m); /* those that have a place */

/* A renewal that no worker does, but a daemon on this machine (manager/tailscale.h). */
bool task_is_local(const Task *t);

/* The unit that its worker runs in; NULL: not known yet. */
const char *task_unit(const Task *t);
const char *task_state_to_string(TaskState s);
