/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* OCSP stapling for mod_ssl (its hooks since httpd 2.4.48): certificates are offered to md-manager through the snapshot, and its responses handed out from memory. */

#include "directives.h"

/* The certificates that mod_ssl came with and that are to be stapled. */
int ocsp_fill_snapshot(const Configuration *c, SnapshotStaplings *ret);
/* One of them, for the status pages. */
typedef struct OcspShown {
        const char *domain; /* "other": of no managed one */
        bool is_other;
        const char *id, *serial, *url;
        const char *status; /* "good", "revoked", "unknown": nothing is stapled */
        uint64_t from_usec, until_usec; /* of what is stapled; 0: nothing is */
        uint64_t refresh_usec; /* when the responder is asked again; 0: not known */
        uint64_t errors;       /* in a row */
        const char *problem, *problem_detail; /* of the last attempt; NULL: it went well */
} OcspShown;

/* All of them as the store knows them now: of OcspShown, in the pool. */
const apr_array_header_t *ocsp_show(const Configuration *c, apr_pool_t *p);

bool ocsp_is_used(const Configuration *c);

void ocsp_register(void);
