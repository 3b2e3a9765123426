/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which CA a domain asks, and when: failover over several, and leaving one alone that wants to be left alone. */

#include "manager/domain.h"

/* The directory to ask now. MDRetryFailover failures in a row at one CA make the next one's turn, round and round; each gets as many attempts, and after a
 * success the first one is preferred again. Borrowed from the domain's settings. */
const char *ca_next(const Domain *d);
/* The same, told when it is another one than before. Who begins there writes it into the job, with ca_errors 0. */
const char *ca_choose(const Domain *d);
/* How many more failures make it another one's turn; 0: it is, UINT_MAX: there is no other. */
unsigned ca_attempts_left(const Domain *d);

/* An attempt failed at 'ca_url'. A CA that says rateLimited to one domain may mean only that one; when it says so to a second one within an hour, or while the first
 * is to wait, and nothing succeeded there between, all wait for as long as it says. */
void ca_failed(Domain *d, const char *ca_url, const Problem *problem);
void ca_succeeded(Domain *d, const char *ca_url);

/* Until when nothing is asked of the CA that the domain would ask; 0: it may be. */
uint64_t ca_paused_until(const Domain *d);

/* At the start: what was known before counts. */
void ca_load(Manager *m);
