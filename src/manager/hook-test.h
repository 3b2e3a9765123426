/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Running a hook because somebody wants to see what it does: the same way as ever, with nothing of it kept. */

#include "manager/domain.h"

/* Answers 'call' with "aa{sv}" when the last of its hooks has ended. Negative: nothing was begun, with *error set. */
int hook_test_new(Domain *d, const char *event, sd_bus_message *call, sd_bus_error *error);
void hook_test_free_all(Manager *m);
