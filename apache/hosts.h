/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Servers of httpd as hosts to match. */

#include "directives.h"
#include "match.h"

/* All servers that may be managed, of MatchHost *, in the order of the configuration. *ret_by_server: server_rec * → MatchHost
 * *. */
apr_array_header_t *hosts_collect(const Configuration *c, apr_pool_t *p, apr_hash_t **ret_by_server);
