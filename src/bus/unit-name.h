/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Unit names of ours: md-renew@NAME.{service,timer} and md-hook-EVENT-….service. Pure. */

#include "base/macro.h"

#define UNIT_RENEW_PREFIX "md-renew@"
#define UNIT_RELOAD_TIMER "md-reload.timer"
#define UNIT_OCSP_TIMER "md-ocsp.timer"
#define UNIT_HOOK_PREFIX "md-hook-"
enum { UNIT_NAME_LENGTH_MAX = 255 };

/* As systemd-escape(1): everything but letters, digits, ':', '_', '.' becomes \xNN, '/' becomes '-', a dot in front is escaped. NULL: out of memory. */
char *unit_name_escape(const char *s);

/* "md-renew@ESCAPED.service"; a name that would not fit goes by ":" and 16 hex digits of a hash of it, which no DNS name looks like and which unit names
 * may have. 'suffix' is ".service" or ".timer"; both go by the same instance. */
char *unit_name_for_renewal(const char *domain, const char *suffix);

/* "md-hook-EVENT-ESCAPED-NUMBER.service", the name shortened as above. */
char *unit_name_for_hook(const char *event, const char *domain, uint64_t number);

/* Whether 'unit' is the renewal unit of 'domain' with this suffix. */
bool unit_name_is_renewal_of(const char *unit, const char *domain, const char *suffix);

bool unit_name_is_valid(const char *unit) _pure_; /* characters, length, a known suffix; not a template */
