/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Problem documents (RFC 7807, RFC 8555 section 6.7) and what CAs send instead of them. */

#include "acme/answer.h"
#include "base/problem.h"

enum {
        ACME_SUBPROBLEMS_MAX = 100,
        ACME_EXCERPT_MAX = 200,
};

/* The CA's error in its own words, with status and Retry-After. An answer without problem document becomes PROBLEM_TYPE_HTTP, with the
 * status and the beginning of what was sent. NULL: out of memory. */
Problem *acme_problem_from_answer(const AcmeAnswer *a, const char *url, uint64_t now_usec);

/* An "error" member of an order or a challenge; what it does not say is said of 'what'. NULL: out of memory. */
Problem *acme_problem_from_json(JsonObject *o, const char *what);

/* "badNonce": without the prefix. False for NULL. */
bool acme_problem_is(const Problem *p, const char *name) _pure_;

/* Appends p as one of the subproblems of several identifiers to an array. */
int acme_problem_append(const Problem *p, const char *identifier_type, const char *identifier, JsonObject *array);
