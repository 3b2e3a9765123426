/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the manager wrote about the domains that this server configures, read for one request and gone with it. */

#include "domains.h"
#include "status-facts.h"

typedef struct StatusDomain {
        const ManagedDomain *config;
        const char *text; /* one JSON object */
        size_t size;
} StatusDomain;

/* All, sorted by name and without their logs: of StatusDomain. Of one that the manager has not told about yet, the settings are there and the state is unknown.
 * NULL: out of memory. */
const apr_array_header_t *status_data_all(request_rec *r);
int status_data_one(request_rec *r, const ManagedDomain *d, StatusDomain *ret);

/* Parsed, for as long as the request lives. NULL: out of memory. */
JsonObject *status_data_json(request_rec *r, const StatusDomain *d);
/* The same as plain values. */
int status_data_facts(request_rec *r, const StatusDomain *d, StatusFacts *ret);
/* All domains as plain values: of StatusFacts, in the same order. */
const apr_array_header_t *status_data_all_facts(request_rec *r);

/* What is not about one domain; NULL: not known. */
JsonObject *status_data_manager(request_rec *r);
