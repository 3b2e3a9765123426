/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What went wrong, for people: travels from the cause to the bus, the status page, the journal and the hook environment.
 *
 * It stands on floor 1 because everybody carries it, also the worker, which links nothing above but 'acme' and 'bus'. */

#include "base/json.h"

typedef struct Problem {
        char *type;           /* "urn:ietf:params:acme:error:rateLimited", or one of ours: "urn:org:mdmanager1:…" (below) */
        char *detail;         /* what was attempted and what was said, printable, for people; never NULL */
        char *activity;       /* what was being done: "validating example.org"; NULL: not known */
        char *subproblems;    /* RFC 8555 section 6.7.1: the JSON array as text; NULL: none */
        unsigned status;      /* HTTP status, 0: none */
        uint64_t retry_after_usec; /* wall clock: no sooner than this; 0: nothing was said */
} Problem;

#define PROBLEM_ACME_PREFIX "urn:ietf:params:acme:error:"
#define PROBLEM_OURS_PREFIX "urn:org:mdmanager1:"

/* Types of ours */
#define PROBLEM_TYPE_CONNECTION PROBLEM_OURS_PREFIX "ca-unreachable"          /* no answer, or TLS to the CA failed */
#define PROBLEM_TYPE_HTTP PROBLEM_OURS_PREFIX "ca-http-error"                 /* an error without problem document */
#define PROBLEM_TYPE_BAD_ANSWER PROBLEM_OURS_PREFIX "ca-bad-answer"           /* not what RFC 8555 says */
#define PROBLEM_TYPE_TIMEOUT PROBLEM_OURS_PREFIX "ca-timeout"                 /* the CA did not finish in time */
#define PROBLEM_TYPE_CHALLENGE_MISMATCH PROBLEM_OURS_PREFIX "challenge-mismatch"
#define PROBLEM_TYPE_CHALLENGE_SETUP PROBLEM_OURS_PREFIX "challenge-setup-failure"
#define PROBLEM_TYPE_AGREEMENT PROBLEM_ACME_PREFIX "agreementRequired"
#define PROBLEM_TYPE_CONTACT PROBLEM_OURS_PREFIX "contact-missing"
#define PROBLEM_TYPE_EAB PROBLEM_OURS_PREFIX "eab-invalid"                    /* MDExternalAccountBinding is of no use */
#define PROBLEM_TYPE_CHAIN PROBLEM_OURS_PREFIX "chain-refused"                /* what the CA sent is not what was ordered */
#define PROBLEM_TYPE_STORE PROBLEM_OURS_PREFIX "store-error"
#define PROBLEM_TYPE_WORKER PROBLEM_OURS_PREFIX "worker-died"
#define PROBLEM_TYPE_SETTING PROBLEM_OURS_PREFIX "setting-refused"
#define PROBLEM_TYPE_RELOAD PROBLEM_OURS_PREFIX "reload-failed"
#define PROBLEM_TYPE_TARGET PROBLEM_OURS_PREFIX "target-failed"              /* another service does not have its certificates */
#define PROBLEM_TYPE_SERVED PROBLEM_OURS_PREFIX "served-differs"
#define PROBLEM_TYPE_VETO PROBLEM_OURS_PREFIX "renewal-vetoed"               /* the command of MDMessageCmd did not want it */
#define PROBLEM_TYPE_OCSP PROBLEM_OURS_PREFIX "ocsp-response-refused"        /* what a responder sent is not to be believed, or does not help */
#define PROBLEM_TYPE_CRL PROBLEM_OURS_PREFIX "crl-refused"                  /* the same of a list of revoked certificates */
#define PROBLEM_TYPE_INTERNAL PROBLEM_OURS_PREFIX "internal"

/* Copies what it is given; the formatted detail is made printable. NULL: out of memory. */
Problem *problem_new(const char *type, const char *detail_format, ...) _printf_(2, 3);
Problem *problem_copy(const Problem *p);
Problem *problem_free(Problem *p);
DEFINE_CLEANUP(Problem *, problem_free)
#define _auto_problem_ _cleanup_(problem_freep)

/* Puts context in front of the detail: "CONTEXT: DETAIL". Does nothing for NULL or when out of memory. */
void problem_prefix(Problem *p, const char *format, ...) _printf_(2, 3);

/* Stores a new problem in *ret (freeing nothing) and returns 0, or -ENOMEM. For 'return problem_set(…)' chains: ret may be NULL. */
#define problem_set(ret, ...)                                           \
        ({                                                              \
                Problem **_ret = (ret);                                 \
                if (_ret && !*_ret)                                     \
                        *_ret = problem_new(__VA_ARGS__);               \
                0;                                                      \
        })

/* Members "problem", "detail", "activity", "status", "subproblems", "retry-after" as mod_md's job.json has them under "last". */
int problem_to_json(const Problem *p, JsonObject *o);
int problem_from_json(JsonObject *o, Problem **ret); /* *ret is NULL when there is no "problem" member */
