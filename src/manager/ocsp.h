/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whether certificates are revoked: OCSP responses for what servers staple and for what is live in the store, and CRLs where there is no responder. When each is due,
 * with one clock for all; one unit that fetches what is; what its worker may ask. */

#include <systemd/sd-bus.h>

#include "manager/domain.h"
#include "store/ocsp.h"

typedef struct Ocsp Ocsp;

#define OCSP_UNIT "md-ocsp.service"

int ocsp_new(Manager *m, Ocsp **ret);
Ocsp *ocsp_free(Ocsp *o);

/* After a change of the snapshots, or a look at everything: what is offered is kept up to date, and nothing else. */
void ocsp_update(Ocsp *o);

/* A complete set lies in staging and is to become live. Until when that has to wait for OCSP responses, because its certificates demand stapling; 0: it need
 * not. What they need is asked for; the domain is looked at again when it is there. */
uint64_t ocsp_hold_activation(Ocsp *o, Domain *d);

/* The facts of the domain's live set were read: whether these certificates are revoked is asked from now on (RevocationCheck=). */
void ocsp_learn(Ocsp *o, Domain *d);

/* Somebody had a certificate revoked, which was told: 'id' is its SHA-1 (CertFacts). */
void ocsp_note_told(Ocsp *o, const char *id);

/* What is known of a certificate; all texts are borrowed. */
typedef struct OcspKnown {
        const char *source; /* "ocsp", "crl"; NULL: nobody is asked, and nothing of what follows counts */
        const char *status; /* "good", "revoked", "unknown": nothing that counts is known */
        const char *url;
        bool offered;       /* some server staples it */
        uint64_t from_usec, until_usec; /* the response or list; 0: there is none */
        uint64_t next_usec; /* when it is asked for again */
        unsigned errors;    /* in a row, of asking */
        const Problem *last; /* NULL: it went well */
} OcspKnown;
OcspKnown ocsp_known(const Ocsp *o, const Domain *d, const CertFacts *f);

typedef struct OcspCounts {
        uint32_t offered, good, revoked, unknown; /* certificates that servers staple, and what is stapled */
        uint32_t failing; /* of these, those whose last attempt failed */
} OcspCounts;
OcspCounts ocsp_count(const Ocsp *o);
/* When the next one is asked for; 0: none is. */
uint64_t ocsp_next_usec(const Ocsp *o);
/* Whether md-ocsp.timer is there. Nothing waits. */
void ocsp_check_timer(Ocsp *o);

/* Open() from the unit above; the worker's methods. */
void ocsp_open(Manager *m, sd_bus_message *open);
int ocsp_worker_next(sd_bus_message *call, void *userdata, sd_bus_error *error);
int ocsp_worker_response(sd_bus_message *call, void *userdata, sd_bus_error *error);
int ocsp_worker_failed(sd_bus_message *call, void *userdata, sd_bus_error *error);
