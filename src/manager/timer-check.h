/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whether the timers that were set are still there: what somebody stopped is told and set again. Nothing waits. */

#include "manager/manager.h"

typedef struct TimerCheck TimerCheck;

int timer_check_new(Manager *m, TimerCheck **ret);
TimerCheck *timer_check_free(TimerCheck *c);
void timer_check_look(TimerCheck *c);
