/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One hook that is being told something, of one domain or of several at once, until its end is written down for each of them. */

#include "manager/courier-internal.h"

enum { FLIGHTS_MAX = 16 }; /* as many as the launcher runs */

/* 'command': "message" or "notify". What waits of other domains for the same cause goes with it, as many as their names find place. */
int flight_launch(Box *box, OutboxEntry *e, const char *command);

/* The box goes, and with it what of it is being told; the hooks run on. */
void flights_forget(Courier *c, const Box *box);
void flights_free_all(Courier *c);
