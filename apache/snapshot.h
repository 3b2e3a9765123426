/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the manager is told of this server, each time that it has gone through its configuration. */

#include "directives.h"

/* Writes the snapshot when it says something new, with 'c->domains->store' open. Without domains (c->domains is NULL) only if
 * there is one from before. A failure is told and stops nothing. */
void snapshot_publish(const Configuration *c, apr_pool_t *p);
