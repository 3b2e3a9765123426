/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What was begun in staging/ for domains that nobody manages any more. A complete set stays, as the live one does: the domain may come back. */

#include "manager/domain.h"

/* The domain is about to be forgotten. */
void staging_forget(const Domain *d);

/* After a start: of those that went meanwhile. */
void staging_purge_stale(Manager *m);
