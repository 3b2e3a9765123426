/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Domains whose first name changed: what the store has for them goes on under the new name, instead of an order at the CA. */

#include "manager/manager.h"
#include "domain/domain.h"

/* What one look at the servers' configurations needs to know for it. Zero is a good start. */
typedef struct Renames {
        struct RenameCandidate *candidates;
        size_t n;
        ManagedDomain **stored; /* … what they point to */
        char **names;           /* in the store, and of no server */
        size_t next;            /* of these: looked at next */
        bool listed;
} Renames;

/* Whether this domain may be one that the store has under another name, and some name of the store was not looked at yet. */
bool renames_are_wanted(const Manager *m, const Renames *renames, const ManagedDomain *config);
/* Looks at one more name of the store: it may have thousands that no server names any more. False: all are known. */
bool renames_learn(Manager *m, Renames *renames);

/* Sees to a domain that servers name, before it is taken up. False: not now, a server reads certificates; the servers are looked at again in a moment. */
bool rename_if_new(Manager *m, Renames *renames, const ManagedDomain *config);
void renames_done(Renames *renames);
