/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Addresses in TLS: a server name indication holds names only, so a CA that proves an address asks for its name in the reverse tree
 * (RFC 8738 section 6). */

#include "apr_pools.h"

/* "192.0.2.1" of "1.2.0.192.in-addr.arpa", "2001:db8::1" of its 32 digits below ip6.arpa; case does not matter. NULL: that is
 * no address. */
const char *arpa_address(apr_pool_t *p, const char *name);
