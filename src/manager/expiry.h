/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Certificates whose end is near and that nothing renews: event "expiring" tells of each, at every step (domain/expiry.h) and at least once a day. One clock for all. */

#include "domain/expiry.h"
#include "manager/domain.h"

typedef struct Expiry Expiry;

int expiry_new(Manager *m, Expiry **ret);
Expiry *expiry_free(Expiry *e);

/* It was decided about: warns, when it is time and nothing is being done, and sees to it that the next step is not missed. */
void expiry_update(Expiry *e, Domain *d);
ExpiryStep expiry_step_of(const Domain *d);
