/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* md-ocsp.timer, a transient timer that the launcher makes: one for all responses and lists, at the time at which the next one is due. It is there when the manager is
 * not, and starts md-ocsp.service, which has the bus start the manager. */

#include "manager/manager.h"

typedef struct OcspTimer OcspTimer;

int ocsp_timer_new(Manager *m, OcspTimer **ret);
OcspTimer *ocsp_timer_free(OcspTimer *t);

/* When it is to elapse; 0: never. What cannot be set now is set with the next call. */
void ocsp_timer_set(OcspTimer *t, uint64_t when_usec);
/* It was set to elapse then, or has. */
bool ocsp_timer_is_set_to(const OcspTimer *t, uint64_t when_usec);

/* Asks systemd whether it is there when it should be, and only then. Nothing waits. */
void ocsp_timer_check(OcspTimer *t);
