/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An authorization: the CA's question whether we hold one name (RFC 8555 section 7.1.4). */

#include "acme/challenge.h"
#include "base/enum-table.h"

enum { ACME_IDENTIFIER_MAX = 255 };

typedef enum AcmeAuthzStatus {
        ACME_AUTHZ_PENDING,
        ACME_AUTHZ_VALID,
        ACME_AUTHZ_INVALID,
        ACME_AUTHZ_DEACTIVATED,
        ACME_AUTHZ_EXPIRED,
        ACME_AUTHZ_REVOKED,
        _ACME_AUTHZ_STATUS_MAX,
} AcmeAuthzStatus;

typedef struct AcmeAuthz {
        char *url;
        char *identifier_type, *identifier; /* without "*." */
        bool wildcard;
        AcmeAuthzStatus status;
        AcmeChallenge *challenges; /* the usable ones */
        size_t n_challenges;
        const AcmeChallenge *chosen; /* one of them; NULL: not chosen yet */
        size_t n_tried;              /* of the allowed types */
        AcmeChallengeCheck check;    /* what can be tried of the chosen one */
        char *reasons;               /* why those that were chosen before did not do; NULL: none */
} AcmeAuthz;

AcmeAuthz *acme_authz_free(AcmeAuthz *a);
DEFINE_CLEANUP(AcmeAuthz *, acme_authz_free)
#define _auto_acme_authz_ _cleanup_(acme_authz_freep)

DECLARE_ENUM_TABLE(acme_authz_status, AcmeAuthzStatus);

enum {
        ACME_AUTHZ_DONE,
        ACME_AUTHZ_E_GONE, /* the CA does not know it any more: *ret_problem has its words */
};

int acme_authz_fetch(AcmeClient *c, const char *url, AcmeAuthz **ret, Problem **ret_problem);

enum { ACME_AUTHZ_E_NONE_LEFT = 1 };

/* Chooses the next of the allowed types that is on offer: the first time, the first of them, or the one that the CA is looking at already.
 * DONE or NONE_LEFT. */
int acme_authz_choose(AcmeAuthz *a, char *const *allowed);

/* What is on offer and what is allowed have nothing in common. NULL: out of memory. */
Problem *acme_authz_mismatch(const AcmeAuthz *a, char *const *allowed);

/* Why it is not valid, in the CA's words as far as there are some. NULL: out of memory. */
Problem *acme_authz_problem(const AcmeAuthz *a);
