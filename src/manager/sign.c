/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/sign.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/json.h"
#include "base/string-util.h"
#include "crypto/csr.h"
#include "crypto/jws.h"
#include "manager/renewal.h"

enum {
        NONCE_MAX = 512,
};

static int not_now(Problem **ret_problem, const char *what) {
        (void) problem_set(ret_problem, PROBLEM_TYPE_INTERNAL, "The job is not at this point: %s", what);
        return SIGN_E_NOT_NOW;
}

/* Consent is a word or the document that is consented to; whatever else a snapshot may say is none. */
static bool is_agreed(const ManagedDomain *settings) {
        return str_equal_nocase(settings->agreement, "accepted") || (settings->agreement && (str_has_prefix(settings->agreement, "https://") ||
                                                                                              str_has_prefix(settings->agreement, "http://")));
}

static int payload_new_account(Renewal *r, char **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();
        int k;

        if (!o)
                return -ENOMEM;
        k = is_agreed(r->task.settings) ? json_add_bool(o, "termsOfServiceAgreed", true) : 0;
        if (k == 0)
                k = json_add_strv(o, "contact", r->task.settings->contacts);
        if (k < 0)
                return k;
        *ret = json_format_short(o);
        return *ret ? 0 : -ENOMEM;
}

static int payload_new_order(Renewal *r, char **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();
        JsonObject *list = json_object_new_array();
        int k = o && list ? 0 : -ENOMEM;

        STRV_FOREACH(name, r->task.settings->names) {
                JsonObject *identifier = k == 0 ? json_object_new_object() : NULL;

                if (!identifier || json_add_string(identifier, "type", "dns") < 0 || json_add_string(identifier, "value", *name) < 0 ||
                    json_object_array_add(list, identifier) < 0) {
                        json_object_put(identifier);
                        k = -ENOMEM;
                        break;
                }
        }
        if (k < 0) {
                json_object_put(list);
                return k;
        }
        k = json_add_object(o, "identifiers", list);
        if (k < 0)
                return k;
        *ret = json_format_short(o);
        return *ret ? 0 : -ENOMEM;
}

static int payload_finalize(Renewal *r, char **ret, Problem **ret_problem) {
        _auto_json_ JsonObject *o = json_object_new_object();
        _auto_free_ char *csr = NULL;
        int k;

        if (!o)
                return -ENOMEM;
        k = csr_make(r->keys[r->current].key, r->task.settings->names, false, &csr, ret_problem);
        if (k == 0)
                k = json_add_string(o, "csr", csr);
        if (k < 0)
                return k;
        *ret = json_format_short(o);
        return *ret ? 0 : -ENOMEM;
}

static int sign_with(Renewal *r, bool with_jwk, const char *url, const char *nonce, const char *payload, char **ret_body) {
        JwsHeader header = { .url = url, .nonce = nonce, .kid = with_jwk ? NULL : r->task.account->url };

        return jws_sign(r->task.account_key, &header, payload, ret_body);
}

static int sign_new_account(Renewal *r, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        _auto_free_ char *payload = NULL;
        int k;

        if (!r->task.binding.new_account)
                return not_now(ret_problem, "no directory was reported");
        if (!str_equal(url, r->task.binding.new_account))
                return not_now(ret_problem, "this is not the directory's URL for new accounts");
        if (r->task.account->url)
                return not_now(ret_problem, "there is an account already");
        if (r->task.binding.terms_of_service && !is_agreed(r->task.settings)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_AGREEMENT,
                                   "%s wants its terms of service accepted: read %s and write 'MDCertificateAgreement accepted' into Apache's configuration",
                                   r->task.ca_url, r->task.binding.terms_of_service);
                return SIGN_E_REFUSED;
        }
        k = payload_new_account(r, &payload);
        return k < 0 ? k : sign_with(r, true, url, nonce, payload, ret_body);
}

static int sign_new_order(Renewal *r, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        _auto_free_ char *payload = NULL;
        int k;

        if (!r->task.binding.new_order || !r->task.account->url)
                return not_now(ret_problem, "there is no account yet");
        if (!str_equal(url, r->task.binding.new_order))
                return not_now(ret_problem, "this is not the directory's URL for new orders");
        if (r->domain->job->order_url)
                return not_now(ret_problem, "there is an order already");
        k = payload_new_order(r, &payload);
        return k < 0 ? k : sign_with(r, false, url, nonce, payload, ret_body);
}

static int sign_challenge(Renewal *r, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        if (!strv_contains(r->binding.challenge_urls, url))
                return not_now(ret_problem, "this challenge is not set up");
        return sign_with(r, false, url, nonce, "{}", ret_body);
}

static int sign_finalize(Renewal *r, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        _auto_free_ char *payload = NULL;
        int k;

        if (!r->task.account->url || !str_equal(url, r->domain->job->finalize_url))
                return not_now(ret_problem, "this is not where the order is finalized");
        if (!r->keys[r->current].key)
                return SIGN_E_WAIT;
        k = payload_finalize(r, &payload, ret_problem);
        if (k == 0)
                k = sign_with(r, false, url, nonce, payload, ret_body);
        if (k == 0)
                r->binding.finalized = true;
        return k;
}

static int sign_post_as_get(Renewal *r, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        const Job *job = r->domain->job;
        bool known;

        /* Is it the account that the CA does not like, or the order? */
        if (r->task.account->url && str_equal(url, r->task.account->url))
                return sign_with(r, false, url, nonce, "", ret_body);
        if (!r->task.account->url || !job->order_url)
                return not_now(ret_problem, "there is no order yet");
        known = str_equal(url, job->order_url) || strv_contains(job->authorizations, url) || strv_contains(r->binding.challenge_urls, url);
        if (!known && !r->binding.finalized && !r->binding.resumed)
                return not_now(ret_problem, "this URL does not belong to the order");
        if (!known && !sign_same_origin(job->order_url, url))
                return not_now(ret_problem, "this URL is not at the CA of the order");
        return sign_with(r, false, url, nonce, "", ret_body);
}

static const struct {
        const char *kind;
        int (*sign)(Renewal *r, const char *url, const char *nonce, char **ret_body, Problem **ret_problem);
} kinds[] = {
        { "new-account", sign_new_account },
        { "new-order", sign_new_order },
        { "challenge", sign_challenge },
        { "finalize", sign_finalize },
        { "post-as-get", sign_post_as_get },
};

int sign_for_renewal(Task *t, const char *kind, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (str_equal(kinds[i].kind, kind)) {
                        int k = kinds[i].sign(renewal_of(t), url, nonce, ret_body, ret_problem);

                        if (k == SIGN_DONE && str_equal(kind, "new-order"))
                                renewal_of(t)->binding.order_signed = true;
                        return k;
                }
        return not_now(ret_problem, "this kind of request is not known");
}

int sign_request(Task *t, const char *kind, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        if (!sign_url_is_valid(url))
                return not_now(ret_problem, "this URL is none that we sign for");
        if (!base64url_is_valid(nonce) || strlen(nonce) > NONCE_MAX)
                return not_now(ret_problem, "this is no nonce");
        if (!t->class->sign)
                return not_now(ret_problem, "nothing is signed for this job");
        return t->class->sign(t, kind, url, nonce, ret_body, ret_problem);
}
