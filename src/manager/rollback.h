/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An archived set takes the place of the live one, the way a new one does: it is copied to staging, and activation moves the live one to the archive. */

#include "manager/domain.h"

typedef struct RollbackSet {
        uint64_t number;
        uint64_t archived_usec;
        CertFactsList facts;
        char *obstacle; /* why it cannot be put back; NULL: it can */
} RollbackSet;

typedef struct RollbackSets {
        RollbackSet *items; /* newest first */
        size_t n;
} RollbackSets;

void rollback_sets_done(RollbackSets *sets);

/* What is in the archive of a domain with these keys, at most the newest 100, each looked at. It takes long when the archive is large; any thread may. */
int rollback_read(Store *store, const char *name, const KeySpecs *keys, RollbackSets *ret);

/* Whether each can be put back, for a domain whose facts are known. */
int rollback_judge(const Domain *d, RollbackSets *sets);

/* Stages set 'number' (0: the newest that can be put back and is not live), and has it made live at once. -EBUSY: something is under way that is to become live
 * itself; -ENOENT: there is no such set; -EINVAL: it cannot be put back; with a problem, as for everything else. */
int rollback_start(Domain *d, uint64_t number, uint64_t *ret_number, Problem **ret_problem);

/* Methods of org.mdmanager1.Domain. */
int rollback_bus_list(sd_bus_message *call, void *userdata, sd_bus_error *error);
int rollback_bus_start(sd_bus_message *call, void *userdata, sd_bus_error *error);
