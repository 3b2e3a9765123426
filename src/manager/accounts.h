/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which account is used at a CA: any valid one there; else one whose key is made but that the CA has not confirmed; else a new key (ES256). */

#include "manager/renewal.h"

/* Sets r->account and r->account_key. The account has no URL when it must be registered. */
int accounts_choose(Renewal *r, Problem **ret_problem);

/* The CA made or found it. Durable when this returns. */
int accounts_created(Renewal *r, const char *url, Problem **ret_problem);

/* The CA does not know it any more: kept for the record with status "unknown"; a new key takes its place. */
int accounts_rejected(Renewal *r, Problem **ret_problem);
