/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Self-signed certificates for the time until the real one is there. They are made again when they run out or do not have all
 * names. */

#include "domain/domain.h"
#include "store-view.h"

/* Outcomes of store-view.h. */
int fallback_ensure(StoreView *v, apr_pool_t *p, const ManagedDomain *d, StoreViewPair *ret, const char **ret_why);
