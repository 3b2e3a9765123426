/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Copies of the chains that are live, which hooks may read (store/public.h). */

#include "manager/domain.h"

/* They are what is live. A failure is told. */
void public_update(const Domain *d);
void public_remove(const Domain *d);
/* Nothing of domains that are gone is left. */
void public_prune(Manager *m);
