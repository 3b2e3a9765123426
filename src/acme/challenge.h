/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A challenge: one way to prove that we hold a name (RFC 8555 sections 7.1.5 and 8). */

#include "acme/client.h"
#include "base/enum-table.h"

enum {
        ACME_CHALLENGES_MAX = 32,
        ACME_CHALLENGE_TYPE_MAX = 64,
        ACME_TOKEN_MAX = 256,
        ACME_ISSUERS_MAX = 10, /* draft-ietf-acme-dns-persist section 3.1 */
        ACME_ACCOUNT_URI_MAX = 512,
};

#define ACME_CHALLENGE_DNS_PERSIST "dns-persist-01"

typedef enum AcmeChallengeStatus {
        ACME_CHALLENGE_PENDING,
        ACME_CHALLENGE_PROCESSING,
        ACME_CHALLENGE_VALID,
        ACME_CHALLENGE_INVALID,
        _ACME_CHALLENGE_STATUS_MAX,
} AcmeChallengeStatus;

DECLARE_ENUM_TABLE(acme_challenge_status, AcmeChallengeStatus);

typedef struct AcmeChallenge {
        char *type, *url, *token; /* the type in lower case, whatever the CA writes */
        char **issuers;    /* dns-persist-01, which has no token: names of the CA that the record may be for; NULL: not said, or malformed */
        char *account_uri; /* dns-persist-01: how the CA calls the account in it; NULL: not said */
        AcmeChallengeStatus status;
        Problem *error; /* what the CA found; NULL: nothing was said */
} AcmeChallenge;

enum {
        ACME_CHALLENGE_DONE,
        ACME_CHALLENGE_E_UNUSABLE, /* not enough of a challenge to answer it */
};

int acme_challenge_parse(JsonObject *o, AcmeChallenge *ret);
void acme_challenge_done(AcmeChallenge *ch);

/* All is there that its answer is made of. */
bool acme_challenge_can_be_answered(const AcmeChallenge *ch) _pure_;

/* Tells the CA that the answer is in its place. */
int acme_challenge_tell(AcmeClient *c, const AcmeChallenge *ch, Problem **ret_problem);
