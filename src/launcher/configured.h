/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What root's servers have configured, as far as the launcher asks: which domains there are, and whose command is run for their events. Kept from one request to
 * the next, and read again when a file is another one. */

#include "base/macro.h"
#include "base/map.h"
#include "base/problem.h"
#include "base/strv.h"

typedef struct ConfiguredServer {
        char *id;
        uint64_t stamp[5]; /* the file as it was read */
        Map *domains; /* names → ConfiguredDomain */
        char **command; /* for events; NULL: none */
        char **notify_command; /* for "renewed", before that one; NULL: none */
        unsigned dns01_version;
} ConfiguredServer;

typedef struct ConfiguredDomain {
        char **dns01_command; /* NULL: none */
        char **names;         /* whose records it may set up */
} ConfiguredDomain;

typedef struct Configured {
        ConfiguredServer **servers; /* in the order of their ids */
        size_t n_servers;
} Configured;

void configured_done(Configured *c);

enum {
        CONFIGURED_DONE,
        CONFIGURED_E_UNUSABLE, /* the store cannot be read; *ret_problem (may stay NULL) says why */
};

/* The first server that names the domain, as the manager merges them, or with NULL the first that has a command for events; NULL: none. Borrowed until the next call. A file that cannot be read is told; what it said
 * before counts, as in the manager. */
int configured_find(Configured *c, const char *store_dir, const char *domain, const ConfiguredServer **ret, Problem **ret_problem);
