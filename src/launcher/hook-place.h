/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Hooks have places: not too many at a time, and never two for the same thing. Those that a challenge waits for have their own, and so have
 * those that a renewal waits for, beside those that tell of events. */

#include "launcher/request.h"

enum { HOOKS_MAX = 16 }; /* of each kind */

/* Asks systemd what runs. 'begin' is called when the request has a place; otherwise it ends with BUS_ERROR_BUSY. */
int hook_place_ask(Request *q, int (*begin)(Request *q));

/* For the name of its unit (launcher/hook-number.h). */
uint64_t hook_next_number(Launcher *l);
