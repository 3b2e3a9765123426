/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/proofs.h"

#include <errno.h>

#include "acme/problem.h"
#include "base/cleanup.h"
#include "base/string-util.h"

void acme_proofs_init(AcmeProofs *p, AcmeClient *client, char *const *challenge_types) {
        assert(p);
        assert(client);

        *p = (AcmeProofs){ .client = client, .challenge_types = challenge_types };
}

void acme_proofs_done(AcmeProofs *p) {
        for (size_t i = 0; i < p->n_pending; i++)
                acme_authz_free(p->pending[i]);
        free(p->pending);
        cleanup_json(&p->failures);
        *p = (AcmeProofs){};
}

static const char *star(const AcmeAuthz *a) {
        return a->wildcard ? "*." : "";
}

/* What is being done, with the names that it is done for. */
static void set_activity(AcmeProofs *p, const char *what) {
        const AcmeAuthz *first = p->n_pending > 0 ? p->pending[0] : NULL;

        if (!first)
                acme_client_set_activity(p->client, "%s", what);
        else if (p->n_pending == 1)
                acme_client_set_activity(p->client, "%s %s%s", what, star(first), first->identifier);
        else
                acme_client_set_activity(p->client, "%s %s%s and %zu more", what, star(first), first->identifier, p->n_pending - 1);
}

static int look_at(AcmeProofs *p, const char *url, Problem **ret_problem) {
        _auto_acme_authz_ AcmeAuthz *a = NULL;
        int r;

        r = acme_authz_fetch(p->client, url, &a, ret_problem);
        if (r != 0)
                return r == ACME_AUTHZ_E_GONE ? ACME_PROOFS_E_DEAD : r;
        if (a->status == ACME_AUTHZ_VALID)
                return 0;
        if (a->status == ACME_AUTHZ_PENDING) {
                p->pending[p->n_pending++] = take_ptr(a);
                return 0;
        }
        *ret_problem = acme_authz_problem(a);
        return *ret_problem ? ACME_PROOFS_E_DEAD : -ENOMEM;
}

int acme_proofs_collect(AcmeProofs *p, char *const *authorizations, Problem **ret_problem) {
        int r;

        assert(!p->pending);

        acme_client_set_activity(p->client, "asking what is to be proved");
        p->pending = calloc(strv_length(authorizations) + 1, sizeof(*p->pending));
        if (!p->pending)
                return -ENOMEM;
        STRV_FOREACH(url, authorizations) {
                r = look_at(p, *url, ret_problem);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* One type of challenge that will not do for this name. Takes the problem. */
static int note_failure(AcmeProofs *p, AcmeAuthz *a, Problem *why) {
        _unused_ _auto_problem_ Problem *owned = why;
        char *reasons;

        if (!why)
                return -ENOMEM;
        if (!p->failures)
                p->failures = json_object_new_array();
        problem_prefix(why, "%s", a->chosen->type);
        if (!p->failures || acme_problem_append(why, a->identifier_type, a->identifier, p->failures) < 0)
                return -ENOMEM;

        reasons = a->reasons ? str_printf("%s; %s", a->reasons, why->detail) : strdup(why->detail);
        if (!reasons)
                return -ENOMEM;
        free(a->reasons);
        a->reasons = reasons;
        return 0;
}

static int tell_failures(AcmeProofs *p, const AcmeAuthz *a, size_t n_more, Problem **ret_problem) {
        _auto_free_ char *more = n_more > 0 ? str_printf(" (likewise %zu more)", n_more) : strdup("");
        _auto_problem_ Problem *problem = NULL;

        if (!more)
                return -ENOMEM;
        problem = problem_new(PROBLEM_TYPE_CHALLENGE_SETUP, "There is no way left to prove %s%s%s: %s", star(a), a->identifier, more, a->reasons);
        if (!problem)
                return -ENOMEM;
        problem->subproblems = json_format_short(p->failures);
        if (!problem->subproblems)
                return -ENOMEM;
        *ret_problem = take_ptr(problem);
        return -EPROTO;
}

static int set_up_chosen(AcmeProofs *p, AcmeAuthz *a, Problem **ret_problem) {
        const AcmeSigner *signer = acme_client_signer(p->client);
        const AcmeChallenge *ch = a->chosen;

        acme_client_set_activity(p->client, "setting up %s for %s%s", ch->type, star(a), a->identifier);
        if (!str_equal(ch->type, ACME_CHALLENGE_DNS_PERSIST))
                return signer->set_up_challenge(signer->userdata, a->identifier_type, a->identifier, ch->type, ch->token, ch->url, &a->check,
                                                ret_problem);
        if (signer->set_up_persistent)
                return signer->set_up_persistent(signer->userdata, a->identifier_type, a->identifier, ch->issuers, ch->account_uri, ch->url,
                                                 &a->check, ret_problem);
        problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP, "This type cannot be used here");
        return *ret_problem ? ACME_SIGNER_E_FAILED : -ENOMEM;
}

/* Sets up what is chosen, or the next type that can be. NONE_LEFT: a->reasons has why. */
static int set_up(AcmeProofs *p, AcmeAuthz *a, Problem **ret_problem) {
        while (a->chosen) {
                _auto_problem_ Problem *why = NULL;
                int r;

                r = set_up_chosen(p, a, &why);
                if (r != ACME_SIGNER_E_FAILED) {
                        *ret_problem = take_ptr(why);
                        return r;
                }
                r = note_failure(p, a, take_ptr(why));
                if (r < 0)
                        return r;
                (void) acme_authz_choose(a, p->challenge_types);
        }
        return ACME_AUTHZ_E_NONE_LEFT;
}

/* What an earlier run has told the CA of is the CA's to judge. */
static bool can_be_checked(const AcmeAuthz *a) {
        return a->check.type && a->chosen->status == ACME_CHALLENGE_PENDING;
}

/* Tries what is set up, and the types after it as long as one fails. NONE_LEFT: a->reasons has why. */
static int check(AcmeProofs *p, AcmeAuthz *a, Problem **ret_problem) {
        const AcmeSigner *signer = acme_client_signer(p->client);

        while (signer->check_challenge && can_be_checked(a)) {
                _auto_problem_ Problem *why = NULL;
                int r;

                acme_client_set_activity(p->client, "checking %s for %s%s", a->chosen->type, star(a), a->identifier);
                r = signer->check_challenge(signer->userdata, &a->check, a->identifier_type, a->identifier, a->chosen->token, &why);
                if (r != ACME_SIGNER_E_FAILED) {
                        *ret_problem = take_ptr(why);
                        return r;
                }
                r = note_failure(p, a, take_ptr(why));
                if (r < 0)
                        return r;
                (void) acme_authz_choose(a, p->challenge_types);
                r = set_up(p, a, ret_problem);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int choose_all(AcmeProofs *p, Problem **ret_problem) {
        for (size_t i = 0; i < p->n_pending; i++)
                if (acme_authz_choose(p->pending[i], p->challenge_types) != ACME_AUTHZ_DONE) {
                        *ret_problem = acme_authz_mismatch(p->pending[i], p->challenge_types);
                        return *ret_problem ? -EPROTO : -ENOMEM;
                }
        return 0;
}

static int set_up_all(AcmeProofs *p, Problem **ret_problem) {
        for (size_t i = 0; i < p->n_pending; i++) {
                int r;

                r = set_up(p, p->pending[i], ret_problem);
                if (r != 0)
                        return r < 0 ? r : tell_failures(p, p->pending[i], 0, ret_problem);
        }
        return 0;
}

/* All of them, also after one failed for good: the administrator mends in one go what is broken. */
static int check_all(AcmeProofs *p, Problem **ret_problem) {
        const AcmeAuthz *first = NULL;
        size_t n_failed = 0;

        for (size_t i = 0; i < p->n_pending; i++) {
                int r;

                r = check(p, p->pending[i], ret_problem);
                if (r < 0)
                        return r;
                if (r > 0 && n_failed++ == 0)
                        first = p->pending[i];
        }
        return first ? tell_failures(p, first, n_failed - 1, ret_problem) : 0;
}

static int tell_all(AcmeProofs *p, Problem **ret_problem) {
        set_activity(p, "validating");
        for (size_t i = 0; i < p->n_pending; i++) {
                int r;

                if (p->pending[i]->chosen->status != ACME_CHALLENGE_PENDING)
                        continue; /* an earlier run has told already */
                r = acme_challenge_tell(p->client, p->pending[i]->chosen, ret_problem);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* First everything is put in its place, then the CA is told: it may begin to look at all names as soon as it hears of one. */
int acme_proofs_answer(AcmeProofs *p, Problem **ret_problem) {
        int r;

        r = choose_all(p, ret_problem);
        if (r == 0)
                r = set_up_all(p, ret_problem);
        if (r == 0)
                r = check_all(p, ret_problem);
        return r < 0 ? r : tell_all(p, ret_problem);
}

int acme_proofs_find_failures(AcmeProofs *p, Problem **ret_failure, size_t *ret_n_pending) {
        _auto_json_ JsonObject *all = json_object_new_array();
        _auto_problem_ Problem *first = NULL;
        size_t n_failed = 0, n_pending = 0;

        if (!all)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_pending; i++) {
                _auto_problem_ Problem *problem = NULL;
                _auto_acme_authz_ AcmeAuthz *a = NULL;

                /* What cannot be read tells nothing: the order's own words will have to do. */
                if (acme_authz_fetch(p->client, p->pending[i]->url, &a, &problem) != 0 || a->status == ACME_AUTHZ_VALID)
                        continue;
                if (a->status == ACME_AUTHZ_PENDING) {
                        n_pending++;
                        continue;
                }
                problem = acme_authz_problem(a);
                if (!problem || acme_problem_append(problem, a->identifier_type, a->identifier, all) < 0)
                        return -ENOMEM;
                if (n_failed++ == 0)
                        first = take_ptr(problem);
        }
        if (n_failed > 1) {
                free(first->subproblems);
                first->subproblems = json_format_short(all);
                if (!first->subproblems)
                        return -ENOMEM;
        }
        *ret_failure = take_ptr(first);
        *ret_n_pending = n_pending;
        return 0;
}
