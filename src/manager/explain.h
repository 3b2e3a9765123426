/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Why a domain is as it is: what is configured, what is live and served, when it is renewed, how it can be proven, what failed, and what was decided. For
 * everybody's eyes: no secrets, no commands, no proxies. */

#include "manager/domain.h"

typedef struct ExplainFact {
        const char *topic;  /* static: "configuration", "certificate", "server", "renewal", "challenge", "attempt", "problem", "decision", in this order */
        char *key;          /* what of it; several facts may have the same */
        char *text;         /* for people, one line, with all times in UTC */
        uint64_t when_usec; /* the time that it is about; 0: none */
} ExplainFact;

typedef struct Explanation {
        ExplainFact *facts;
        size_t n;
        bool failed; /* out of memory */
} Explanation;

/* -ENOMEM. */
int explain(Domain *d, Explanation *ret);
void explanation_done(Explanation *e);

/* For the parts: a fact more, the text made printable and cut where it has no end. Failures show at the end. */
void explain_add(Explanation *e, const char *topic, const char *key, uint64_t when_usec, const char *format, ...) _printf_(5, 6);
/* The attempts to renew it, the last problem, and the decision (explain-attempt.c). */
void explain_attempts(Explanation *e, const Domain *d);
void explain_decision(Explanation *e, const Domain *d);
