/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The names of all domains, to be found by name, by wildcard and by the patterns of ServerAlias without looking at all of them. */

#include "apr_pools.h"
#include "apr_tables.h"

#include "domain/domain.h"

typedef struct NameIndex NameIndex;

/* One name of one domain; several domains may have the same name when they overlap. */
typedef struct NameEntry {
        const char *name;
        ManagedDomain *domain;
        struct NameEntry *next; /* the same name of a later domain */
        bool acme_tls;          /* a virtual host answers acme-tls/1 for it */
} NameEntry;

NameIndex *name_index_new(apr_pool_t *p);

/* The first domain of the configuration comes first. The name must live as long as the index. */
void name_index_add(NameIndex *index, const char *name, ManagedDomain *d);

NameEntry *name_index_find(const NameIndex *index, const char *name);
NameEntry *name_index_find_wildcard(const NameIndex *index, const char *name); /* the wildcard that covers it */
NameEntry *name_index_find_covered(const NameIndex *index, const char *wildcard); /* some name that it covers, of a domain that was not refused */

bool name_entries_have(const NameEntry *e, const ManagedDomain *d);

/* Of NameEntry *, one for each name of 'domains' that 'pattern' with '*' or '?' meets, in the order of the configuration. Names that are
 * added behind the first question are not among them. */
const apr_array_header_t *name_index_meet(NameIndex *index, const apr_array_header_t *domains, const char *pattern);
