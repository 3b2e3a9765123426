/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/challenge-answer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "manager/renewal.h"
#include "store/challenge.h"

static ChallengeAnswer *answer_free(ChallengeAnswer *a) {
        if (!a)
                return NULL;
        free(a->name);
        free(a->text);
        free(a);
        return NULL;
}
DEFINE_CLEANUP(ChallengeAnswer *, answer_free)

ChallengeAnswer *challenge_answers_free(ChallengeAnswer *list) {
        while (list) {
                ChallengeAnswer *next = list->next;

                answer_free(list);
                list = next;
        }
        return NULL;
}

int challenge_answer_add(Renewal *r, ChallengeType type, const char *name, const char *text, const KeySpec *spec) {
        _cleanup_(answer_freep) ChallengeAnswer *a = calloc(1, sizeof(*a));

        if (!a || str_replace(&a->name, name) < 0 || str_replace(&a->text, text) < 0)
                return -ENOMEM;
        a->type = type;
        if (spec)
                a->spec = *spec;
        a->next = r->answers;
        r->answers = take_ptr(a);
        return 0;
}

static void take_back(Store *store, const ChallengeAnswer *a) {
        if (a->type == CHALLENGE_TYPE_HTTP01)
                (void) store_challenge_remove(store, a->name, a->text);
        else if (a->type == CHALLENGE_TYPE_TLS_ALPN01)
                (void) store_challenge_remove_alpn(store, a->name, &a->spec, a->text);
}

void challenge_answers_remove(Renewal *r, ChallengeType type, const char *name, const char *text) {
        for (ChallengeAnswer **p = &r->answers; *p;) {
                ChallengeAnswer *a = *p;

                if (a->type != type || !str_equal(a->name, name) || (text && !str_equal(a->text, text))) {
                        p = &a->next;
                        continue;
                }
                *p = a->next;
                take_back(r->domain->manager->store, a);
                answer_free(a);
        }
}

void challenge_answers_remove_all(Renewal *r) {
        for (const ChallengeAnswer *a = r->answers; a; a = a->next)
                take_back(r->domain->manager->store, a);
        r->answers = challenge_answers_free(r->answers);
}

bool challenge_answers_of_others(const Renewal *me, const char *name) {
        const char *path;
        Task *t;

        MAP_FOREACH(me->task.manager->tasks, path, t) {
                const Renewal *r = renewal_of(t);

                for (const ChallengeAnswer *a = r && r != me ? r->answers : NULL; a; a = a->next)
                        if (str_equal(a->name, name))
                                return true;
        }
        return false;
}
