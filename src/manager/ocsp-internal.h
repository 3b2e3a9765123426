/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What ocsp.c and the files beside it share. */

#include "bus/unit.h"
#include "manager/crl-item.h"
#include "manager/ocsp-item.h"
#include "manager/ocsp-timer.h"
#include "manager/ocsp.h"
#include "manager/worker-seat.h"

struct Ocsp {
        Manager *manager;
        Map *items; /* id → OcspItem */
        Map *crls;  /* URL → CrlItem */
        Map *asked_items, *asked_crls; /* token → what md-ocsp is fetching just now */
        sd_event_source *plan; /* deferred: the clock is set anew */
        OcspTimer *timer;
        sd_event_source *clock; /* the manager's own, which stands in for the timer */
        uint64_t at_usec;   /* what both are set to; 0: nothing */
        UnitCall *unit;     /* we had the unit started, and it has not ended */
        uint64_t held_usec; /* it is not started before, because it would not start; monotonic */
        bool asked;         /* in this run of the unit, a worker came and asked what there is to do */
        WorkerSeat seat;    /* of the worker that has the job open */
        uint64_t last_token;
        uint64_t pruned_usec; /* monotonic */
};

/* Sets the clock to what is due next, or starts the unit. */
void ocsp_kick(Ocsp *o);
/* The same, once for all changes of a round. */
void ocsp_plan(Ocsp *o);
/* This connection has the job until it goes. */
int ocsp_take_worker(Ocsp *o, sd_bus_message *open);
/* Something is to be fetched now. Who is the first (NULL: a CRL is) in *ret. */
bool ocsp_is_due(const Ocsp *o, OcspItem **ret);
void ocsp_forget_asked(Ocsp *o, uint64_t token);
CrlItem *ocsp_find_crl(const Ocsp *o, const char *url); /* NULL: it went */
/* Adds the serial numbers of certificates of no domain that are stapled and revoked, as far as they are not in the list. */
int ocsp_list_revoked_others(const Ocsp *o, char ***serials);
/* What belongs to its domains depends on it. */
void ocsp_item_changed(OcspItem *i);

/* A certificate that md-manager keeps, with its issuer; 'info' is what it says. */
typedef struct OcspOwnCert {
        Domain *domain;
        const char *id, *serial, *url;
        X509 *issuer;
} OcspOwnCert;
int ocsp_add_own(Ocsp *o, const OcspOwnCert *cert, OcspItem **ret);
/* What nobody staples is asked as the settings of its domain are now. */
int ocsp_follow_own(Ocsp *o, OcspItem *i);
