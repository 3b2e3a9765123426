/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the directives add up to: the managed domains with the settings in force, matched with the servers. Made once, when the
 * configuration is checked; only what the TLS module lets us know is added before the server goes to work. */

#include "directives.h"
#include "match.h"

typedef struct Domains {
        apr_pool_t *pool;
        apr_array_header_t *all; /* of ManagedDomain *, in the order of the configuration */
        apr_hash_t *hosts;       /* server_rec * → MatchHost *; servers that are not to be managed are not there */
        apr_hash_t *definitions; /* ManagedDomain * → Definition * */
        Matching *matching;
        apr_hash_t *curves;                /* text of MDPrivateKeys → why no key can be made on it; "": one can */
        apr_hash_t *certs;                 /* ManagedDomain * → what certs.c found for it */
        struct Renamed *renamed;           /* what the store has of domains that are not configured; NULL: not looked at */
        struct Fallbacks *fallbacks;       /* what they have in common; NULL: none was made */
        struct PairMemory *known, *known_fallbacks; /* pairs that an earlier pass has read; in the parent until the server goes to work */
        const struct StoreViewPair *spare; /* some pair that the TLS module was given */
        struct StoreView *store; /* in the parent until the server goes to work; in a child for its life; NULL: not open */
        bool http_reachable, https_reachable; /* some listener is at the mapped port */
        bool told;
        int n_notes_told;
} Domains;

/* Fills configuration->domains. Nothing that concerns one domain alone makes it fail: such a domain is refused. */
int domains_make(Configuration *c, apr_pool_t *p);

/* Writes what was found to the log; what was told before is not told again. */
void domains_tell(Configuration *c);

/* The host of a server; NULL: it is not managed. */
MatchHost *domains_host(const Configuration *c, const server_rec *s);

/* What only this module needs to know of a domain of 'c->domains->all'. */
const char *domain_hsts(const Configuration *c, const ManagedDomain *d);         /* MDHsts; NULL: the header is not wanted */
const FilePair *domain_fallback(const Configuration *c, const ManagedDomain *d); /* MDFallbackCertificate; NULL: none */

/* How many domains were refused. */
size_t domains_refused(const Configuration *c);

/* Whether challenges of this type may prove names of this domain. */
bool domain_allows_challenge(const ManagedDomain *d, const char *type);
bool domain_allows_http01(const ManagedDomain *d);
