/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/sign.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"
#include "manager/order.h"
#include "manager/renewal-keys.h"
#include "manager/renewal.h"
#include "manager/sign-account.h"

enum {
        NONCE_MAX = 512,
};

/* The certificate whose place the new one takes, by its id at the CA (RFC 9773 section 5): only where it came from this CA and this account, because the CA
 * refuses any other. NULL: none is named. */
static const char *choose_predecessor(Renewal *r) {
        const Job *job = r->domain->job;
        char name[KEY_SPEC_NAME_MAX];
        KeySpec spec = renewal_spec(r);
        const CertFacts *live;

        if (r->binding.without_replaces || !r->task.binding.renewal_info || !r->task.settings->ari || !str_equal(job->live_ca_url, r->task.ca_url) ||
            !str_equal(job->live_account, r->task.account->id))
                return NULL;
        domain_learn_facts(r->domain);
        live = cert_facts_find(&r->domain->live, key_spec_name(&spec, name));
        return live ? live->ari_id : NULL;
}

static int ask_for_order(Renewal *r, char *const *names, char **ret, Problem **ret_problem) {
        const char *profile, *replaces;
        int k;

        k = order_profile(r->task.settings, r->task.binding.profiles, r->task.ca_url, &profile, ret_problem);
        if (k < 0)
                return k == -EINVAL ? SIGN_E_REFUSED : k;
        replaces = choose_predecessor(r);
        r->binding.replaces_signed = replaces;
        return order_payload(names, profile, replaces, ret);
}

static int sign_new_order(Renewal *r, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        _auto_free_ char *payload = NULL;
        _auto_strv_ char **names = NULL;
        int k;

        if (!r->task.binding.new_order || !r->task.account->url)
                return sign_not_now(ret_problem, "there is no account yet");
        if (!str_equal(url, r->task.binding.new_order))
                return sign_not_now(ret_problem, "this is not the directory's URL for new orders");
        if (r->domain->job->order_url)
                return sign_not_now(ret_problem, "there is an order already");
        k = order_names(r->task.settings, &names);
        if (k == 0)
                k = ask_for_order(r, names, &payload, ret_problem);
        return k != 0 ? k : sign_with_account(&r->task, url, nonce, payload, ret_body);
}

static int sign_challenge(Renewal *r, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        if (!strv_contains(r->binding.challenge_urls, url))
                return sign_not_now(ret_problem, "this challenge is not set up");
        return sign_with_account(&r->task, url, nonce, "{}", ret_body);
}

static int sign_finalize(Renewal *r, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        EVP_PKEY *key = r->keys[r->current].key;
        _auto_free_ char *payload = NULL;
        _auto_strv_ char **names = NULL;
        int k;

        if (!r->task.account->url || !str_equal(url, r->domain->job->finalize_url))
                return sign_not_now(ret_problem, "this is not where the order is finalized");
        if (!key)
                return SIGN_E_WAIT;
        k = order_names(r->task.settings, &names);
        if (k == 0)
                k = order_request(key, names, r->task.settings->must_staple, &payload, ret_problem);
        if (k == 0)
                k = sign_with_account(&r->task, url, nonce, payload, ret_body);
        if (k == 0)
                r->binding.finalized = true;
        return k;
}

static int sign_post_as_get(Renewal *r, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        const Job *job = r->domain->job;
        bool known;

        /* Is it the account that the CA does not like, or the order? */
        if (r->task.account->url && str_equal(url, r->task.account->url))
                return sign_account_look(&r->task, url, nonce, ret_body, ret_problem);
        if (!r->task.account->url || !job->order_url)
                return sign_not_now(ret_problem, "there is no order yet");
        known = str_equal(url, job->order_url) || strv_contains(job->authorizations, url) || strv_contains(r->binding.challenge_urls, url);
        if (!known && !r->binding.finalized && !r->binding.resumed)
                return sign_not_now(ret_problem, "this URL does not belong to the order");
        if (!known && !sign_same_origin(job->order_url, url))
                return sign_not_now(ret_problem, "this URL is not at the CA of the order");
        return sign_with_account(&r->task, url, nonce, "", ret_body);
}

static const struct {
        const char *kind;
        int (*about_order)(Renewal *r, const char *url, const char *nonce, char **ret_body, Problem **ret_problem);
        int (*about_account)(Task *t, const char *url, const char *nonce, char **ret_body, Problem **ret_problem);
} kinds[] = {
        { "new-account",    NULL,             sign_new_account    },
        { "account-update", NULL,             sign_account_update },
        { "new-order",      sign_new_order,   NULL                },
        { "challenge",      sign_challenge,   NULL                },
        { "finalize",       sign_finalize,    NULL                },
        { "post-as-get",    sign_post_as_get, NULL                },
};

int sign_for_renewal(Task *t, const char *kind, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        Renewal *r = renewal_of(t);

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (str_equal(kinds[i].kind, kind)) {
                        int k = kinds[i].about_order ? kinds[i].about_order(r, url, nonce, ret_body, ret_problem) :
                                                       kinds[i].about_account(t, url, nonce, ret_body, ret_problem);

                        if (k == SIGN_DONE && kinds[i].about_order == sign_new_order)
                                r->binding.order_signed = true;
                        return k;
                }
        return sign_not_now(ret_problem, "this kind of request is not known");
}

int sign_request(Task *t, const char *kind, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        if (!sign_url_is_valid(url))
                return sign_not_now(ret_problem, "this URL is none that we sign for");
        if (!base64url_is_valid(nonce) || strlen(nonce) > NONCE_MAX)
                return sign_not_now(ret_problem, "this is no nonce");
        if (!t->class->sign)
                return sign_not_now(ret_problem, "nothing is signed for this job");
        return t->class->sign(t, kind, url, nonce, ret_body, ret_problem);
}
