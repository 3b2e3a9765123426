/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which units are reloaded for a server. */

#include "domain/snapshot.h"
#include "manager/manager.h"

/* The i-th one; NULL: there are no more. The unit that the server runs in, or what ReloadUnit= says: of several, the one that it runs in, if that is among them,
 * otherwise all. None, when it runs in no unit, or ReloadUnit=none. */
const char *reload_unit_of(const Manager *m, const Snapshot *server, size_t i);
bool reload_is_by_hand(const Manager *m); /* ReloadUnit=none */
