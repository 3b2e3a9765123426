/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Strict readers for numbers, booleans and durations: the whole string or -EINVAL, -ERANGE when it does not fit. */

#include "base/macro.h"

int parse_uint64(const char *s, uint64_t *ret); /* decimal digits only */
int parse_uint32(const char *s, uint32_t *ret);
int parse_port(const char *s, uint16_t *ret); /* 1 to 65535 */
int parse_boolean(const char *s, bool *ret);  /* yes no true false on off 1 0, case does not matter */

/* Sizes in bytes: an integer with 'K', 'M', 'G' or 'T' (of 1024), or without. */
int parse_size(const char *s, uint64_t *ret);

/* Durations as systemd.time(7) writes them in settings: "30s", "5min", "1h 30min", "2d", "1w"; a bare number is seconds. */
int parse_seconds_usec(const char *s, uint64_t *ret_usec);

/* Durations as mod_md's directives write them: an integer with 'd', 'h', 'mi', 's' or 'ms', case does not matter and only these
 * letters are looked at; without one, 'default_unit' counts ("d", "s", …). Negative numbers are refused. */
int parse_md_duration_usec(const char *s, const char *default_unit, uint64_t *ret_usec);
