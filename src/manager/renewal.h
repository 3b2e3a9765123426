/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One renewal under way: a task whose worker brings certificates. Has one way to end: task_end(). */

#include "bus/unit.h"
#include "manager/challenge-queue.h"
#include "manager/domain.h"
#include "manager/task.h"

/* What the manager made of the order so far. */
typedef struct RenewalBinding {
        char **challenge_urls; /* set up: they may be signed for */
        unsigned challenges;   /* … of this order, that were asked for, whatever became of them */
        bool replaces_signed;  /* … and it named the certificate that it replaces */
        bool order_signed;     /* a new-order request was signed for and not answered yet */
        bool finalized;        /* the CSR was signed for, in this run */
        bool resumed;          /* the order is older than this run */
        bool delivered;
        bool without_replaces; /* the CA refused an order that named its predecessor */
} RenewalBinding;

struct Renewal {
        Task task; /* first: they share their address */
        Domain *domain;

        ChallengeCall *consent; /* "renewing": who is asked whether it may begin (manager/consent.h) */
        UnitCall *start; /* of its own unit; NULL: a batch worker has it, or it is started already */
        unsigned restarts;
        RenewalBinding binding;

        /* One certificate for each key spec of the settings, ordered one after the other. */
        struct RenewalKey {
                EVP_PKEY *key;       /* NULL: in the making */
                KeyRequest *request;
                bool staged;         /* its certificate is in staging already */
        } keys[KEY_SPEC_MAX];
        size_t current;              /* the one whose order is under way */
        struct LocalExchange *exchange; /* with the local daemon that has the certificate */
        sd_bus_message *finalize; /* Sign("finalize") that waits for the key */
        char *finalize_nonce;

        struct ChallengeSetup *setups;   /* challenges that are being set up */
        struct ChallengeAnswer *answers; /* answers that are in their place */
        bool inherited;         /* there may be answers of an earlier run, too */
        unsigned orders;
};

extern const TaskClass renewal_class;

/* The renewal that this is; NULL: it is another kind of task. */
static inline Renewal *renewal_of(Task *t) {
        return t && t->class == &renewal_class ? (Renewal *) t : NULL;
}

/* Whether one with these settings, at this CA, goes on with what is in staging, and with the order that was begun with the settings that are kept there: what was begun
 * for other names, another CA or another profile is of no use. */
bool renewal_goes_on(const Domain *d, const ManagedDomain *staged, const ManagedDomain *settings, const char *ca_url);
/* Queues one; the domain has none yet. */
int renewal_new(Domain *d, Renewal **ret);

/* It has a place: has its own unit started, or asks the local daemon. */
void renewal_start(Renewal *r);
/* The last certificate is verified and staged: what is left is its end. */
void renewal_certificate_came(Renewal *r);

/* A CA may have begun to limit us: renewals that are in the queue for it leave it, and their domains wait. */
void renewal_hold_queued(Manager *m);
/* Somebody does not want it to begin: it leaves the queue, and nothing has failed. */
void renewal_decline(Renewal *r, const Problem *p);
