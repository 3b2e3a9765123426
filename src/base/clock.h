/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Times. Wall clock times are microseconds since the epoch (uint64_t, suffix _usec), as systemd has them; 0 is 'none'. */

#include "base/macro.h"

#define USEC_PER_MSEC ((uint64_t) 1000)
#define USEC_PER_SEC ((uint64_t) 1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)
#define USEC_INFINITY UINT64_MAX

uint64_t clock_now_usec(void);           /* CLOCK_REALTIME */
uint64_t clock_monotonic_usec(void);     /* CLOCK_MONOTONIC */

uint64_t usec_add(uint64_t a, uint64_t b); /* saturates at USEC_INFINITY */
uint64_t usec_sub(uint64_t a, uint64_t b); /* saturates at 0 */
/* The whole second that is not before it: for "no sooner than this" where only seconds are written. */
uint64_t usec_round_up(uint64_t usec);

/* RFC 3339 with any offset and fraction (ACME, RFC 9773). -EINVAL: is none. */
int clock_parse_rfc3339(const char *s, uint64_t *ret_usec);
/* "2026-11-22T23:36:00Z", with fraction when there is one. */
#define CLOCK_RFC3339_MAX 40
char *clock_format_rfc3339(char buffer[static CLOCK_RFC3339_MAX], uint64_t usec);

/* RFC 822 in GMT, as mod_md writes times in its JSON: "Sun, 22 Nov 2026 23:36:00 GMT". */
#define CLOCK_RFC822_MAX 40
char *clock_format_rfc822(char buffer[static CLOCK_RFC822_MAX], uint64_t usec);
int clock_parse_http_date(const char *s, uint64_t *ret_usec); /* the three forms of RFC 9110 5.6.7; reads the above too */

/* For people: "2026-11-22 23:36:00 UTC", and "in 29 days", "3 min ago", "now"; 0 gives "-". */
#define CLOCK_HUMAN_MAX 64
char *clock_format_utc(char buffer[static CLOCK_HUMAN_MAX], uint64_t usec);
char *clock_format_relative(char buffer[static CLOCK_HUMAN_MAX], uint64_t usec, uint64_t now_usec);
/* A length of time: "29d 3h", "1min 30s", "250ms". */
char *clock_format_timespan(char buffer[static CLOCK_HUMAN_MAX], uint64_t usec);
