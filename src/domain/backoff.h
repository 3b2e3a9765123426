/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Retry times after failures. */

#include "base/macro.h"
#include "base/problem.h"

#define BACKOFF_MAX_USEC ((uint64_t) 24 * 60 * 60 * 1000000)
#define BACKOFF_SAID_MAX_USEC (7 * BACKOFF_MAX_USEC) /* the most that a Retry-After of the CA counts */
#define BACKOFF_BASE_DEFAULT_USEC ((uint64_t) 30 * 1000000) /* MDRetryDelay */

/* How long to wait after the 'errors'-th failure in a row (1 is the first): 'base' doubled each time, at most 24 h, never
 * overflowing. The first wait is exactly 'base' (0 stands for the default); no errors, no wait; later ones are drawn from
 * the upper half ('random' over its whole range), so that domains that failed together come back apart. */
uint64_t backoff_delay_usec(uint64_t base_usec, unsigned errors, uint32_t random) _pure_;

/* What a failure waits for: what is done about it depends on nothing else. */
typedef enum ProblemClass {
        PROBLEM_CLASS_TRANSIENT,     /* it may go away by itself: tried again, less and less often */
        PROBLEM_CLASS_TIME,          /* the CA said when, or limits how much it is asked */
        PROBLEM_CLASS_ADMINISTRATOR, /* the configuration is at fault: useless before it changes, and tried once a day all the same */
        _PROBLEM_CLASS_MAX,
} ProblemClass;

/* The ACME types that mod_md takes for the configuration's fault, and our own of this kind; no problem is PROBLEM_CLASS_TRANSIENT. */
ProblemClass problem_class(const Problem *p) _pure_;
const char *problem_class_to_string(ProblemClass c) _pure_; /* "", "time", "administrator" */

/* When to try again: the backoff, or 24 h for problems that need the administrator, and not before what the CA said (at most
 * 7 days ahead). */
uint64_t backoff_next_usec(uint64_t now_usec, uint64_t base_usec, unsigned errors, const Problem *p, uint32_t random) _pure_;
