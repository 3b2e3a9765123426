/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where visitors get the certificates of the domains: addresses and ports of virtual hosts with TLS, and the names that lead there. */

#include "directives.h"

/* Sets 'endpoints' of all domains: "ADDRESS:PORT NAME", the address as domain/endpoint.h has it. */
int endpoints_find(const Configuration *c, apr_pool_t *p);

/* Texts (const char *) about virtual hosts of domains with TLS that no visitor gets to by one of their names, because an earlier one at the same address has it. */
apr_array_header_t *endpoints_shadowed(const Configuration *c, apr_pool_t *p);
