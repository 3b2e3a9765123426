/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What an order wants proved: its authorizations, from the first look at them to the CA's verdict. */

#include "acme/authz.h"

typedef struct AcmeProofs {
        AcmeClient *client;
        char *const *challenge_types; /* allowed, in order of preference */
        AcmeAuthz **pending;          /* what is to be proved yet */
        size_t n_pending;
        JsonObject *failures;         /* what could not be used for a proof, as subproblems; NULL: nothing yet */
} AcmeProofs;

void acme_proofs_init(AcmeProofs *p, AcmeClient *client, char *const *challenge_types);
void acme_proofs_done(AcmeProofs *p); /* may be initialised again */

enum {
        ACME_PROOFS_DONE,
        ACME_PROOFS_E_DEAD, /* one of the authorizations will never be valid: *ret_problem says why */
};

int acme_proofs_collect(AcmeProofs *p, char *const *authorizations, Problem **ret_problem);

/* Puts an answer in its place for each of them, tries them ourselves as far as that can be, and then tells the CA. */
int acme_proofs_answer(AcmeProofs *p, Problem **ret_problem);

/* Looks once more at what was to be proved. The first failure stands for all; when there are several, all are told as subproblems.
 * *ret_failure is NULL when nothing failed; *ret_n_pending is how many the CA has not looked at yet. */
int acme_proofs_find_failures(AcmeProofs *p, Problem **ret_failure, size_t *ret_n_pending);
