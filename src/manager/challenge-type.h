/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How names are proven, and which of these ways a domain has. */

#include "manager/domain.h"

typedef enum ChallengeType {
        CHALLENGE_TYPE_TLS_ALPN01, /* in the order in which they are preferred */
        CHALLENGE_TYPE_HTTP01,
        CHALLENGE_TYPE_DNS01,
        _CHALLENGE_TYPE_AUTO, /* those behind are used only when MDCAChallenges names them */
        CHALLENGE_TYPE_DNS_PERSIST01 = _CHALLENGE_TYPE_AUTO,
        _CHALLENGE_TYPE_MAX,
} ChallengeType;

const char *challenge_type_to_string(ChallengeType type) _pure_;
int challenge_type_from_string(const char *s, ChallengeType *ret); /* -EINVAL */

/* The types that this domain can use now, in order of preference; an explicit MDCAChallenges is taken as it is, in lower case. An empty list comes with a
 * problem that says for each type why not. */
int challenges_available(Domain *d, char ***ret_types, Problem **ret_problem);

/* Why this domain cannot use this type, for people; NULL: it can. The caller frees it. */
char *challenge_why_not(const Domain *d, ChallengeType type);
/* All that it can use now, a bit each. */
unsigned challenges_usable(const Domain *d);
