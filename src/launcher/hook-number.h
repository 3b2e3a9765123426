/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Numbers at the end of hooks' units. What a hook printed is found in the journal by the name of its unit, which no other run may ever have had, whatever happened to
 * the clock or to the launcher since. The invocation's id would say the same, but it is missing with what journald reads only when the unit is over, as with short
 * hooks it does. */

#include "base/macro.h"

/* They grow within one run of the launcher. 'last' is the one before, or 0. */
uint64_t hook_number_next(uint64_t last, uint64_t now_usec, uint64_t random);
