/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Local checks: what the CA will try of a challenge is tried here first. A local failure costs nothing at the CA, and says precisely what is wrong.
 *
 * What says nothing about the CA's view (a name that leads to another machine, a resolver that does not answer) is no failure. */

#include "acme/signer.h"

/* 'type', 'expect', 'record', 'port', 'wait_usec': as the manager said. */
typedef AcmeChallengeCheck ChallengeCheck;

enum {
        CHECK_DONE,     /* it would do, or nothing can be known from here */
        CHECK_E_FAILED, /* the CA would not find it either: *ret_problem says what is wrong (PROBLEM_TYPE_CHALLENGE_SETUP) */
};

/* May take as long as 'wait_usec' for dns-01, and some seconds for the others. Negative errno: the check itself broke. */
int check_challenge(const ChallengeCheck *c, const char *identifier_type, const char *identifier, const char *token, Problem **ret_problem);
