/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who knows what is in the zone of a name: its name servers, with all their addresses, as the system's resolver finds them. */

#include "base/strv.h"

enum {
        ZONE_SERVERS_MAX = 32, /* addresses; more are not asked */
};

typedef struct ZoneServer {
        char *name, *address;
} ZoneServer;

typedef struct ZoneServers {
        char *name; /* what the name that was asked for stands for in the end (CNAME) */
        char *zone; /* NULL: not found */
        ZoneServer servers[ZONE_SERVERS_MAX];
        size_t n_servers;
} ZoneServers;

void zone_servers_done(ZoneServers *z);

/* Fills a zeroed *ret. 0 also when nothing is found. */
int zone_servers_find(const char *name, ZoneServers *ret);
