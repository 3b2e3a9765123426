/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whether the server's children will be able to read what md-manager lays down for them. A child that cannot is silent: it takes each challenge for somebody
 * else's. */

#include "apr_pools.h"

#include "store-view.h"

/* Root in the parent. NULL: they will; else what stands in the way, and the remedy. */
const char *children_trouble(StoreView *v, apr_pool_t *p);
