/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Self-signed certificates for the time until the real one is there. They are made again when they run out or do not have exactly
 * the names of the domain. */

#include "domain/domain.h"
#include "pair-memory.h"
#include "store-view.h"

extern const KeySpec fallback_key_spec; /* P-256, whatever the domain's keys will be */

/* What all that are made for one configuration have in common: making a key for each would take most of the time. */
typedef struct Fallbacks Fallbacks;

Fallbacks *fallbacks_make(apr_pool_t *p, PairMemory *known);

/* Outcomes of store-view.h; *ret receives the paths. They live in 'p' as everything else that is needed, which is much for thousands of
 * domains. */
int fallback_ensure(Fallbacks *f, StoreView *v, apr_pool_t *p, const ManagedDomain *d, StoreViewPair *ret, const char **ret_why);

/* Removes those that have run out: their domains are gone, or have certificates. */
void fallback_prune(StoreView *v);
