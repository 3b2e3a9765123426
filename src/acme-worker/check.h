/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Local checks: what the CA will try of a challenge is tried here first. A local failure costs nothing at the CA, and says precisely what is wrong.
 *
 * What says nothing about the CA's view (a name that leads to another machine, a resolver that does not answer) is no failure. */

#include <syslog.h>

#include "acme/signer.h"

typedef struct ChallengeCheck {
        const AcmeChallengeCheck *what; /* as the manager said */
        const char *identifier_type, *identifier, *token;
        const char *domain; /* the managed domain, for the log */
        uint64_t
                since_usec; /* when the last challenge was set up; monotonic. Records that are waited for one after the other became visible meanwhile. */

        uint64_t *ret_until_usec; /* dns-persist-01, when it would do: until when the record that is there says so; UINT64_MAX: for ever. May be NULL */

        /* Lets time pass; a failure ends the check with it. */
        void *userdata;
        int (*wait)(void *userdata, uint64_t usec, Problem **ret_problem);
} ChallengeCheck;

enum {
        CHECK_DONE,     /* it would do, or nothing can be known from here */
        CHECK_E_FAILED, /* the CA would not find it either: *ret_problem says what is wrong (PROBLEM_TYPE_CHALLENGE_SETUP) */
};

/* May take as long as 'wait_usec' for dns-01, and some seconds for the others. Negative errno: the check itself broke. */
int check_challenge(const ChallengeCheck *c, Problem **ret_problem);

/* One of each type of challenge, with the same outcomes. */
int check_dns(const ChallengeCheck *c, Problem **ret_problem);
int check_http(const ChallengeCheck *c, Problem **ret_problem);
int check_tls(const ChallengeCheck *c, Problem **ret_problem);

/* Looks at one address and port of this machine; an outcome of CHECK_E_NO_CONNECTION comes with a problem, too. */
typedef int (*CheckAddress)(const ChallengeCheck *c, const char *address, uint16_t port, Problem **ret_problem);

enum {
        CHECK_E_NO_CONNECTION = CHECK_E_FAILED + 1, /* nobody is at this address: a CA might try another one of the name */
};

/* Has 'look' try each address of the identifier that is this machine's. 'ca_port' is where the CA goes to. */
int check_own_addresses(const ChallengeCheck *c, uint16_t ca_port, CheckAddress look, Problem **ret_problem);

/* For the journal, when a check ends without having found out anything, or waits. */
void check_tell(int priority, const ChallengeCheck *c, const char *format, ...) _printf_(3, 4);
