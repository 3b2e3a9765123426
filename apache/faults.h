/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is wrong with one domain by itself, so that it is refused, and what is only doubtful about it. Nothing here asks a CA. */

#include "domains.h"

/* NULL: nothing. Before the domains are matched with virtual hosts: names, keys, files. */
const char *fault_of_itself(const Configuration *c, const ManagedDomain *d, apr_pool_t *p);

/* The same behind that, when all its names are known: how they could be proven. */
const char *fault_of_proof(const Configuration *c, const ManagedDomain *d, apr_pool_t *p);

/* NULL: nothing, or a command that only others can judge. */
const char *fault_of_command(const char *directive, char *const *command, apr_pool_t *p);

/* Adds texts (const char *) about a domain that is in order otherwise. */
void faults_doubt(const Configuration *c, const ManagedDomain *d, apr_pool_t *p, apr_array_header_t *texts);
