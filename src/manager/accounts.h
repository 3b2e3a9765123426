/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which account is used at a CA: any valid one there; else one whose key is made but that the CA has not confirmed; else a new key (ES256). */

#include "manager/task.h"

/* Sets t->account and t->account_key. The account has no URL when it must be registered. */
int accounts_choose(Task *t, Problem **ret_problem);

/* The CA made or found it. Durable when this returns. */
int accounts_created(Task *t, const char *url, Problem **ret_problem);

/* The CA does not know it any more: kept for the record with status "unknown"; a new key takes its place. */
int accounts_rejected(Task *t, Problem **ret_problem);
