/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Hooks that a challenge waits for. Both are answered when their unit has ended: its name, systemd's word for how ("success", "exit-code", "signal", "timeout",
 * …), and what waitid() would say. A negative return value means that nothing was begun, with *error set: BUS_ERROR_NOT_CONFIGURED when root configured no
 * such command for the domain, BUS_ERROR_INVALID for words that are none. BUS_ERROR_BUSY is answered while one for this domain runs, or too many. */

#include "launcher/launcher.h"

/* MDChallengeDns01: md-hook-challenge-{setup,teardown}-dns-01-….service. 'name' is without "*.". */
int challenge_hook_run(Launcher *l, sd_bus_message *call, const char *domain, const char *verb, const char *name, const char *value, sd_bus_error *error);

/* MDMessageCmd for "challenge-setup:TYPE:NAME": md-hook-challenge-setup-….service. */
int challenge_event_run(Launcher *l, sd_bus_message *call, const char *domain, const char *type, const char *name, sd_bus_error *error);
