/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers of a renewal that are in their place: in challenges/ of the store, where Apache's children find them, or in a zone. */

#include "base/key-spec.h"
#include "manager/challenge-type.h"

typedef struct ChallengeAnswer ChallengeAnswer;

struct ChallengeAnswer {
        ChallengeAnswer *next;
        ChallengeType type;
        char *name; /* as in challenges/, without "*." */
        char *text; /* http-01: the token; tls-alpn-01: the certificate; dns-01: the record's value */
        KeySpec spec; /* tls-alpn-01 */
};

/* Keeps account of it, before it is put there. */
int challenge_answer_add(Renewal *r, ChallengeType type, const char *name, const char *text, const KeySpec *spec);

/* Takes back the one, or (text NULL) all of this type and name. Of records only the account is settled: challenge-dns.h takes them back. */
void challenge_answers_remove(Renewal *r, ChallengeType type, const char *name, const char *text);
void challenge_answers_remove_all(Renewal *r);

/* Without touching what is in place: at shutdown. */
ChallengeAnswer *challenge_answers_free(ChallengeAnswer *list);

/* Whether another renewal has an answer in challenges/NAME. */
bool challenge_answers_of_others(const Renewal *me, const char *name);
