/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who this server is: the systemd unit that it runs in, and the name of its snapshot. */

#include "apr_pools.h"

/* The system's unit (a service) that /proc/self/cgroup tells of, in its two forms; NULL: none, as in a session of a user or a
 * container without systemd. */
const char *unit_from_cgroup(apr_pool_t *p, const char *text);

const char *unit_of_this_process(apr_pool_t *p);

/* "apache2" for apache2.service; without a unit, a name that depends on where the configuration is. */
const char *unit_snapshot_id(apr_pool_t *p, const char *unit, const char *server_root, const char *config_file);
