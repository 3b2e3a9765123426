/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Challenges of a renewal: the answer is in its place, and whoever is to be told has been told, before the CA looks; it is taken away when the order is final. */

#include "manager/challenge-type.h"
#include "manager/renewal.h"

/* Answers SetUpChallenge() now or later, with what the worker may try before it tells the CA. As a method handler: negative with *error set
 * when it is answered with an error, positive when it is or will be answered. */
int challenges_set_up(Renewal *r, sd_bus_message *call, const char *identifier_type, const char *identifier, const char *type, const char *token,
                      const char *url, sd_bus_error *error);
/* Likewise SetUpPersistentChallenge(); 'account_uri' may be empty. */
int challenges_set_up_persistent(Renewal *r, sd_bus_message *call, const char *identifier_type, const char *identifier, char *const *issuers,
                                 const char *account_uri, const char *url, sd_bus_error *error);
void challenges_tear_down(Renewal *r);
/* Likewise what a run before this one left for these names: it died, and its tokens with it. */
void challenges_forget(Renewal *r, char *const *names);

/* With the renewal, when it is freed without an end. */
typedef struct ChallengeSetup ChallengeSetup;
ChallengeSetup *challenge_setups_free(ChallengeSetup *list);

/* After a start: answers that no renewal of a domain with an order needs. */
void challenges_purge_stale(Manager *m);
