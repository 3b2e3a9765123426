/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One certificate for which OCSP responses are fetched, however many servers use it. */

#include "crypto/ocsp.h"
#include "domain/snapshot.h"
#include "manager/manager.h"
#include "store/ocsp.h"

typedef struct OcspRequest {
        void *der;
        size_t size;
} OcspRequest;

typedef struct OcspItem {
        Manager *manager;
        char *id;      /* SHA-1 of the certificate */
        char **names;  /* the domains that it belongs to, or "other": directories of the store */
        char *serial, *url, *proxy_url, *proxy_ca_file;
        X509 *issuer;
        Window window; /* MDStaplingRenewWindow */
        uint64_t retry_delay_usec;

        StoreStaple staple; /* what is known, and when it is asked for again */
        bool key_compromised; /* it is revoked because of that */
        bool offered;       /* some server staples it */
        bool must_staple;   /* it demands that, as far as servers say */
        bool replanned;     /* its domains are still to hear of that */
        uint64_t wanted_until_usec; /* for a certificate that is not live yet; 0: it is */

        OcspRequest by_post, by_get_request; /* what the responder is being asked just now */
        uint64_t token; /* 0: nothing */
        bool by_get;    /* the responder likes GET better */
        uint64_t renewed_told_usec, errored_told_usec;
} OcspItem;

/* Known by 'stapling', whose issuer is 'issuer' (a reference is taken), with what the store has of it. 'server': whose settings count; NULL: nobody's. */
int ocsp_item_new(Manager *m, const SnapshotStapling *stapling, X509 *issuer, const Snapshot *server, OcspItem **ret);
OcspItem *ocsp_item_free(OcspItem *i);
DEFINE_CLEANUP(OcspItem *, ocsp_item_free)

/* Whom it asks, through what and when, is as the server has it now. What waits is planned anew where another setting has planned it. */
int ocsp_item_follow(OcspItem *i, const SnapshotStapling *stapling, const Snapshot *server);

/* Of the certificate with this name; makes it known under one more name. */
int ocsp_item_add_name(OcspItem *i, const char *name);

bool ocsp_item_is_good(const OcspItem *i, uint64_t now_usec); /* there is a response that counts now */
/* Some server staples it, or it is live, or soon will be. */
bool ocsp_item_is_wanted(const OcspItem *i, uint64_t now_usec);
bool ocsp_item_is_due(const OcspItem *i, uint64_t now_usec);
/* A server staples it, no domain has it, and what is known is that it was revoked. */
bool ocsp_item_is_revoked_other(const OcspItem *i);

/* Makes the request; forgets it. */
int ocsp_item_ask(OcspItem *i, uint64_t token);
void ocsp_item_forget_request(OcspItem *i);

/* The responder's answer to the request, or what kept it from coming: verified, kept, told. 'by_get': it is the one without nonce. */
void ocsp_item_answered(OcspItem *i, const void *der, size_t size, bool by_get);
void ocsp_item_failed(OcspItem *i, const Problem *problem);

/* It was told that this one is revoked, by whatever way: it is not told again, also when another one is live by then and the server still staples this one. */
void ocsp_item_note_told(OcspItem *i);
/* A revoked certificate is told, and a reason to renew it: notes that, where it is not known yet. */
void ocsp_item_note_revoked(OcspItem *i);
