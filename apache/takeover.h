/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Stores of mod_md: what lies there is not ours, and new certificates are ordered unless somebody takes it over. */

#include "directives.h"

/* Whether a directory is one. */
bool takeover_is_store(apr_pool_t *p, const char *path);

/* Warns of domains with a certificate in the store that mod_md has by default, and none in ours. */
void takeover_warn(const Configuration *c, const char *store, apr_pool_t *p);
