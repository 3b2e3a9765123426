/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/sign-account.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "crypto/jws.h"
#include "manager/account-request.h"
#include "manager/accounts.h"
#include "manager/external-account.h"

int sign_not_now(Problem **ret_problem, const char *what) {
        (void) problem_set(ret_problem, PROBLEM_TYPE_INTERNAL, "The job is not at this point: %s", what);
        return SIGN_E_NOT_NOW;
}

int sign_with_account(Task *t, const char *url, const char *nonce, const char *payload, char **ret_body) {
        JwsHeader header = { .url = url, .nonce = nonce, .kid = t->account->url };

        t->binding.account_asked = t->binding.account_asked || header.kid;
        return jws_sign(t->account_key, &header, payload, ret_body);
}

/* --- new-account --- */

static int check_terms(const Task *t, Problem **ret_problem) {
        if (!t->binding.terms_of_service || accounts_is_agreed(t->settings))
                return 0;
        (void) problem_set(ret_problem, PROBLEM_TYPE_AGREEMENT,
                           "%s wants its terms of service accepted: read %s and write 'MDCertificateAgreement accepted' into Apache's configuration", t->ca_url,
                           t->binding.terms_of_service);
        return SIGN_E_REFUSED;
}

/* The CA may have the account of a lent key, with whatever it wanted then. */
static int check_binding(const Task *t, const ExternalAccount *external, Problem **ret_problem) {
        if (!t->binding.external_account_required || external->kid || t->account->key_of)
                return 0;
        (void) problem_set(ret_problem, PROBLEM_ACME_PREFIX "externalAccountRequired",
                           "%s registers nobody without an account elsewhere: get a key id and an HMAC key from this CA, and write 'MDExternalAccountBinding KEY-ID HMAC-KEY' "
                           "(or the name of a file with both) into Apache's configuration",
                           t->ca_url);
        return SIGN_E_REFUSED;
}

static int ask_for_account(Task *t, const ExternalAccount *external, const char *url, char **ret_payload) {
        AccountRequest request = { .only_existing = t->binding.account_lookup, .agreed = accounts_is_agreed(t->settings) };
        _auto_json_ JsonObject *binding = NULL;
        int r = 0;

        if (!request.only_existing) {
                t->binding.contacts = strv_free(t->binding.contacts);
                /* Those of this domain. The others' come with an update: a CA that wants fewer than there are must not refuse the account for that. */
                t->binding.contacts = strv_copy(t->settings->contacts);
                r = t->binding.contacts || !t->settings->contacts ? 0 : -ENOMEM;
                t->binding.agreed = request.agreed;
                request.contacts = t->binding.contacts;
        }
        if (r == 0 && external->kid && !request.only_existing)
                r = jws_bind_account(t->account_key, external->kid, external->mac_key, url, &binding);
        request.binding = binding;
        return r < 0 ? r : account_request_new(&request, ret_payload);
}

int sign_new_account(Task *t, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        _auto_external_account_ ExternalAccount external = { 0 };
        _auto_free_ char *payload = NULL;
        int r;

        if (!t->binding.new_account)
                return sign_not_now(ret_problem, "no directory was reported");
        if (!str_equal(url, t->binding.new_account))
                return sign_not_now(ret_problem, "this is not the directory's URL for new accounts");
        if (t->account->url)
                return sign_not_now(ret_problem, "there is an account already");
        r = external_account_read(t->settings, &external, ret_problem);
        if (r < 0)
                return r == -EINVAL ? SIGN_E_REFUSED : r;
        if (!t->binding.account_lookup) {
                r = check_terms(t, ret_problem);
                if (r == 0)
                        r = check_binding(t, &external, ret_problem);
                if (r != 0)
                        return r;
        }
        r = ask_for_account(t, &external, url, &payload);
        return r < 0 ? r : sign_with_account(t, url, nonce, payload, ret_body);
}

/* --- An account that is there --- */

static int check_account_url(const Task *t, const char *url, Problem **ret_problem) {
        if (t->account->url && str_equal(url, t->account->url))
                return 0;
        return sign_not_now(ret_problem, "this is not the URL of the account");
}

int sign_account_update(Task *t, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        AccountRequest request = { 0 };
        _auto_free_ char *payload = NULL;
        int r = check_account_url(t, url, ret_problem);

        if (r != 0)
                return r;
        t->binding.contacts = strv_free(t->binding.contacts);
        r = accounts_wanted_contacts(t->manager, t->settings, t->ca_url, &t->binding.contacts);
        /* Consent is said once for each document. */
        t->binding.agreed = t->binding.terms_of_service && accounts_is_agreed(t->settings) && !str_equal(t->binding.terms_of_service, t->account->agreement);
        request.contacts = t->binding.contacts;
        request.agreed = t->binding.agreed;
        if (r == 0)
                r = account_request_update(&request, &payload);
        return r < 0 ? r : sign_with_account(t, url, nonce, payload, ret_body);
}

int sign_account_deactivate(Task *t, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        _auto_free_ char *payload = NULL;
        int r = check_account_url(t, url, ret_problem);

        if (r == 0)
                r = account_request_deactivate(&payload);
        return r != 0 ? r : sign_with_account(t, url, nonce, payload, ret_body);
}

int sign_key_change(Task *t, EVP_PKEY *next, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        _auto_free_ char *inner = NULL;
        int r;

        if (!t->account->url || !t->binding.key_change || !str_equal(url, t->binding.key_change))
                return sign_not_now(ret_problem, "this is not the directory's URL for changes of keys");
        r = jws_key_change(next, t->account_key, url, t->account->url, &inner);
        return r < 0 ? r : sign_with_account(t, url, nonce, inner, ret_body);
}

int sign_account_look(Task *t, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        int r = check_account_url(t, url, ret_problem);

        return r != 0 ? r : sign_with_account(t, url, nonce, "", ret_body);
}
