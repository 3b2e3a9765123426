/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Turns: what is to be done for very many domains is done for some at a time, and the loop hears everybody else in between. A domain that somebody asks about has its turn
 * at once. */

#include "manager/domain.h"

typedef struct Turns Turns;

int turns_new(Manager *m, Turns **ret);
Turns *turns_free(Turns *t);

/* Has it evaluated when its turn comes; once, however often it is asked for. */
void turns_add(Turns *t, Domain *d);
void turns_add_all(Turns *t);
void turns_remove(Turns *t, Domain *d);
/* There is something to adopt (manager/adoption.h). */
void turns_wake(Turns *t);

/* The domain of this name as it is now. NULL: there is none. */
Domain *turns_find(Turns *t, const char *name);

/* Goes on for so long, or until nothing is left: at start, before anybody is heard. */
void turns_run(Turns *t, uint64_t budget_usec);
bool turns_are_over(const Turns *t);
