/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Challenge answers of a renewal: put where Apache's children find them before the CA looks, taken away when the order is final. */

#include "manager/renewal.h"

/* The types that this domain can use now, in order of preference; an explicit MDCAChallenges is taken as it is. An empty list comes with a problem that
 * says for each type why not. */
int challenges_available(Domain *d, char ***ret_types, Problem **ret_problem);

/* Answers SetUpChallenge() now or later, with what the worker may try before it tells the CA. As a method handler: negative with *error set
 * when it is answered with an error, positive when it is or will be answered. */
int challenges_set_up(Renewal *r, sd_bus_message *call, const char *identifier_type, const char *identifier, const char *type, const char *token,
                      const char *url, sd_bus_error *error);
void challenges_tear_down(Renewal *r);
/* Likewise what a run before this one left for these names: it died, and its tokens with it. */
void challenges_forget(Renewal *r, char *const *names);

/* After a start: answers that no renewal of a domain with an order needs. */
void challenges_purge_stale(Manager *m);
