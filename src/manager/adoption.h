/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Taking over what the servers configure: one domain after the other, in turns (manager/turns.h), so that the loop has its own between them.
 *
 * Until its turn comes, a domain goes on with what was configured before. One that is asked for comes first. No work begins for any
 * before all have been adopted. */

#include "manager/domain.h"

typedef struct Adoption Adoption;

int adoption_new(Manager *m, Adoption **ret);
Adoption *adoption_free(Adoption *a);

/* Takes over what servers_merge() says; from the beginning when it is under way. At the end manager_adopted() is called. */
void adoption_begin(Adoption *a);
bool adoption_is_running(const Adoption *a);

/* The next one. */
void adoption_step(Adoption *a);
/* This one, if it was not there yet. */
void adoption_take(Adoption *a, const char *name);
