/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What an event of one domain has in common with that of another one: with the CA down, hundreds of domains have one and the same thing to tell. Pure. */

#include "base/problem.h"
#include "domain/event.h"

enum { CAUSE_MAX = 512 }; /* bytes */

/* Equal for what happens to several domains for one reason: what is particular to one of them (its names, addresses, tokens, times) is left out of the problem's
 * words. 'ca', 'step' and 'problem' may be NULL. *ret is NULL for events that are each domain's own. */
int cause_of_event(EventKind kind, const char *ca, const char *step, const Problem *problem, char *const *names, char **ret);
