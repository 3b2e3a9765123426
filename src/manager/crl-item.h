/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A list of revoked certificates (CRL) at one URL, for all live certificates that name it and no OCSP responder. It is read, verified and looked through beside the
 * loop, because it may be large. */

#include "manager/domain.h"

typedef struct CrlItem {
        Manager *manager;
        char *url, *key;  /* key: of the file in the store */
        Map *domains;     /* names of those that have such certificates; values mean nothing */
        Map *checked;     /* SHA-256 of certificates that it was looked through for; values mean nothing */
        uint64_t from_usec, until_usec; /* thisUpdate and nextUpdate; 0: there is none that counts */
        uint64_t next_usec; /* when it is fetched again */
        uint64_t retry_delay_usec;
        unsigned errors;  /* in a row, of fetching */
        Problem *last;    /* of the last attempt; NULL: it went well */
        uint64_t token;   /* it is being fetched; 0: it is not */
        bool looked;      /* in the store, whether it is there */
        bool looking;     /* beside the loop */
        bool again;       /* certificates came meanwhile */
        uint64_t told_usec;
} CrlItem;

int crl_item_new(Manager *m, const char *url, const Domain *d, CrlItem **ret);
CrlItem *crl_item_free(CrlItem *c);

/* The domain has a certificate that names it: looks the certificate up. */
int crl_item_add_domain(CrlItem *c, const Domain *d);

bool crl_item_is_due(CrlItem *c, uint64_t now_usec);
uint64_t crl_item_next_usec(CrlItem *c); /* 0: at no time that is known */
bool crl_item_is_idle(CrlItem *c);       /* nobody names it any more, and nothing is under way */
bool crl_item_is_checked(const CrlItem *c, const char *sha256, uint64_t now_usec); /* the list that counts now says nothing bad of this certificate */

/* What was fetched, or what kept it from coming. */
void crl_item_answered(CrlItem *c, const void *data, size_t size);
void crl_item_failed(CrlItem *c, const Problem *problem);
