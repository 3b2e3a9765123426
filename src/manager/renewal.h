/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One renewal under way: a place in the queue, the worker's unit, its connection, the keys, the deadline. Has one way to end. */

#include "bus/peer.h"
#include "bus/unit.h"
#include "manager/domain.h"
#include "store/account.h"

typedef enum RenewalState {
        RENEWAL_QUEUED,   /* waits for a place */
        RENEWAL_STARTING, /* the unit is being started, or its worker waits for the CA's account */
        RENEWAL_OPEN,     /* a worker has the job */
        _RENEWAL_STATE_MAX,
} RenewalState;

/* What the manager made of the conversation so far: the URLs that may be signed for. */
typedef struct RenewalBinding {
        char *new_account, *new_order; /* NULL: no directory yet */
        char *terms_of_service;
        bool external_account_required;
        char **challenge_urls; /* set up */
        bool account_signed;   /* a new-account request was signed for and not answered yet */
        bool account_rejected; /* once in a run */
        bool order_signed;     /* the same for a new-order request */
        bool finalized;        /* the CSR was signed for, in this run */
        bool resumed;          /* the order is older than this run */
        bool delivered;
} RenewalBinding;

struct Renewal {
        Domain *domain;
        char *path;
        RenewalState state;
        ManagedDomain *settings; /* as they were when it began: the configuration may change meanwhile */
        const char *ca_url;      /* of these settings */
        uint64_t started_usec;

        UnitCall *start;
        unsigned restarts;
        sd_bus_message *open;  /* Open() that waits for its answer */
        char *sender;          /* who has the job open */
        PeerWatch *peer;       /* that worker, from its Open() on */
        sd_event_source *deadline;

        RenewalBinding binding;
        Account *account;      /* NULL: to be registered */
        EVP_PKEY *account_key;
        bool registering;      /* holds the CA's registration */

        /* One certificate for each key spec of the settings, ordered one after the other. */
        struct RenewalKey {
                EVP_PKEY *key;       /* NULL: in the making */
                KeyRequest *request;
                bool staged;         /* its certificate is in staging already */
        } keys[KEY_SPEC_MAX];
        size_t current;              /* the one whose order is under way */
        sd_bus_message *finalize; /* Sign("finalize") that waits for the key */
        char *finalize_nonce;

        char **challenge_names; /* answers that lie in challenges/, as NAME TOKEN pairs */
        bool inherited;         /* there may be answers of an earlier run, too */
        char *activity;
        uint64_t activity_told_usec; /* monotonic: signals for it are at most one a second */
        unsigned calls;              /* of the worker: there is an end to what one renewal may ask */
        unsigned orders;
        Problem *refusal; /* the first problem that we told the worker: it knows less than we do */
};

/* Queues one; the domain has none yet. */
int renewal_new(Domain *d, Renewal **ret);
/* Ends it without a word: at shutdown. */
Renewal *renewal_free(Renewal *r);

/* Has the unit started; called when a place is free. */
void renewal_start(Renewal *r);

/* A worker wants the job (its unit and user are proven): takes the message, answers now or when the CA's account is there. */
void renewal_open(Renewal *r, sd_bus_message *open);

/* The key spec whose certificate is being ordered. */
KeySpec renewal_spec(const Renewal *r);
/* Its certificate is staged. True: another one is to be ordered now. */
bool renewal_next_spec(Renewal *r);

/* The end: tells, counts errors, sets the retry time, frees 'r', and has the domain looked at again. 'problem' NULL: all was delivered. */
void renewal_end(Renewal *r, const Problem *problem);

/* Refuses what the worker asked, with a problem: what we refuse is better known here than by the worker, which only passes our words on. 'p' is
 * borrowed, may be NULL. Returns the negative errno for sd-bus. */
int renewal_refuse(Renewal *r, const char *name, const Problem *p, sd_bus_error *error);

/* An account for the CA is there now, or somebody gave up registering: whoever waits goes on. */
void renewal_wake_waiting(Manager *m, const char *ca_url);

const char *renewal_state_to_string(RenewalState s);
unsigned renewal_count_busy(const Manager *m); /* those that have a place */
