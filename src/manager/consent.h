/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Asking the command of MDMessageCmd before a renewal begins (event "renewing"): one that fails is a veto. */

#include "manager/renewal.h"

/* Just after it was queued. It waits in the queue until the command has ended; nothing is asked within an hour of the last consent. Renewals that the command
 * does not want end without counting as failed, and are looked at again after MDCheckInterval. */
void consent_ask(Renewal *r);
