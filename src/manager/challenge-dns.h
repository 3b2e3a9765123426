/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Records that MDChallengeDns01's command was asked to set up: remembered in job.json before it runs, and taken back whatever happens in between. */

#include "manager/domain.h"

/* Before the command runs. Negative: it could not be written, and the command must not run. */
int challenge_dns_remember(Domain *d, const char *name, const char *value);

/* Takes back all that is remembered and that no answer of the domain's renewal needs. */
void challenge_dns_tear_down(Domain *d);

/* Whether another answer under way needs a record of this name, and the command of 'domain' would take it away, too. */
bool challenge_dns_is_in_use(const Manager *m, const char *domain, const char *name);

/* Something is to be taken back yet. */
bool challenge_dns_is_pending(const Domain *d) _pure_;

/* After a start: what an earlier run left, also of domains that nobody manages any more. */
void challenge_dns_recover(Manager *m);

typedef struct DnsTeardown DnsTeardown;
DnsTeardown *dns_teardown_free_all(DnsTeardown *list); /* at shutdown: the next run does it */
