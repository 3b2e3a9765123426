/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Every managed domain has an armed time, a running job, or a stated reason for having neither. Whether that holds is looked at when all of them have been decided about: at
 * start, and with each look at everything. One for which it does not hold is told of, and gets a time: nothing that goes wrong, in us or around us, leaves a certificate to
 * its end in silence. */

#include "manager/domain.h"

/* Nothing will happen to it, and nothing is said of why. */
bool stall_is(const Domain *d, uint64_t now_usec);

/* It was decided about anew, and has no time yet: whether it has one afterwards is looked at once more if it had to be given one. */
void stall_decided(Domain *d);

/* Looks at all; only where a look is due and no domain waits for its turn (manager/turns.h). */
void stall_look(Manager *m);
