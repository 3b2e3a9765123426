/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/account.h"

#include <errno.h>

#include "acme/problem.h"
#include "acme/url.h"
#include "base/string-util.h"

static const char *const acme_account_operation_table[] = {
        [ACME_ACCOUNT_REGISTER] = "register",
        [ACME_ACCOUNT_UPDATE] = "update",
        [ACME_ACCOUNT_DEACTIVATE] = "deactivate",
        [ACME_ACCOUNT_KEY_CHANGE] = "key-change",
};

DEFINE_ENUM_TABLE(acme_account_operation, AcmeAccountOperation)

/* What the CA says of the account's state, among the words that there are; NULL: nothing. */
static const char *status_in(const AcmeAnswer *answer) {
        static const char *const words[] = { "valid", "deactivated", "revoked" };
        _auto_json_ JsonObject *o = NULL;
        const char *status;

        if (json_parse(answer->body.data, answer->body.size, &o, NULL) != 0 || !json_object_is_type(o, json_type_object))
                return NULL;
        status = json_get_string(o, "status");
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (str_equal(status, words[i]))
                        return words[i];
        return NULL;
}

/* RFC 8555 7.1.6: an account that is not valid never becomes so again. Some CAs send no object for an account that was there before. */
static int check_status(const AcmePost *post, const AcmeAnswer *answer, Problem **ret_problem) {
        const char *status = status_in(answer);

        if (!status || str_equal(status, "valid"))
                return 0;
        problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "The account that %s knows for our key is of no use: its status is '%s'",
                    post->url, status);
        return -EBADMSG;
}

int acme_account_register(AcmeClient *c, const AcmeDirectory *directory, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        AcmePost post = { .kind = ACME_REQUEST_NEW_ACCOUNT, .url = directory->new_account };
        const AcmeSigner *signer = acme_client_signer(c);
        int r;

        acme_client_set_activity(c, "registering an account");
        r = acme_client_post(c, &post, &answer, ret_problem);
        if (r != 0)
                return r < 0 ? r : -EREMOTEIO;
        r = check_status(&post, &answer, ret_problem);
        if (r < 0)
                return r;
        if (!acme_url_is_valid(answer.location))
                return acme_client_bad_answer(post.url, "an account", "no usable URL in 'Location'", ret_problem);

        return signer->account_created(signer->userdata, answer.location, ret_problem);
}

/* A request about an account that is there; 'expected' is what it is when the CA does not say. */
static int change(AcmeClient *c, AcmeRequestKind kind, const char *url, const char *expected, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        AcmePost post = { .kind = kind, .url = url };
        const AcmeSigner *signer = acme_client_signer(c);
        int r;

        r = acme_client_post(c, &post, &answer, ret_problem);
        if (r != 0)
                return r < 0 ? r : -EREMOTEIO;
        return signer->account_done ? signer->account_done(signer->userdata, str_or(status_in(&answer), expected), ret_problem) : 0;
}

int acme_account_update(AcmeClient *c, const char *url, Problem **ret_problem) {
        acme_client_set_activity(c, "updating the account");
        if (!acme_url_is_valid(url)) {
                problem_set(ret_problem, PROBLEM_TYPE_INTERNAL, "'%s' is no URL of an account", str_or(url, ""));
                return -EINVAL;
        }
        return change(c, ACME_REQUEST_ACCOUNT_UPDATE, url, "valid", ret_problem);
}

static int deactivate(AcmeClient *c, const char *url, Problem **ret_problem) {
        acme_client_set_activity(c, "deactivating the account");
        return change(c, ACME_REQUEST_ACCOUNT_DEACTIVATE, url, "deactivated", ret_problem);
}

static int change_key(AcmeClient *c, const AcmeDirectory *directory, Problem **ret_problem) {
        acme_client_set_activity(c, "changing the key of the account");
        if (!directory->key_change) {
                problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "The CA does not offer to change the key of an account (its directory has no 'keyChange')");
                return -EOPNOTSUPP;
        }
        return change(c, ACME_REQUEST_KEY_CHANGE, directory->key_change, "valid", ret_problem);
}

int acme_account_look(AcmeClient *c, const char *url, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        AcmePost post = { .kind = ACME_REQUEST_POST_AS_GET, .url = url };
        const char *status;
        int r;

        acme_client_set_activity(c, "asking whether the account is still valid");
        if (!acme_url_is_valid(url))
                return ACME_ACCOUNT_E_DEAD;
        r = acme_client_post(c, &post, &answer, ret_problem);
        if (r == ACME_CLIENT_E_REFUSED)
                return acme_problem_is(*ret_problem, "accountDoesNotExist") || acme_problem_is(*ret_problem, "unauthorized") ?
                        ACME_ACCOUNT_E_DEAD :
                        ACME_ACCOUNT_DONE;
        if (r < 0)
                return r;
        status = status_in(&answer);
        return !status || str_equal(status, "valid") ? ACME_ACCOUNT_DONE : ACME_ACCOUNT_E_DEAD;
}

typedef struct Run {
        AcmeAccountOperation operation;
        const char *url;
} Run;

static int work(AcmeClient *c, const AcmeDirectory *directory, void *userdata, Problem **ret_problem) {
        const Run *run = userdata;

        if (run->operation == ACME_ACCOUNT_REGISTER)
                return acme_account_register(c, directory, ret_problem);
        if (!acme_url_is_valid(run->url)) {
                problem_set(ret_problem, PROBLEM_TYPE_INTERNAL, "'%s' is no URL of an account", str_or(run->url, ""));
                return -EINVAL;
        }
        if (run->operation == ACME_ACCOUNT_UPDATE)
                return acme_account_update(c, run->url, ret_problem);
        return run->operation == ACME_ACCOUNT_DEACTIVATE ? deactivate(c, run->url, ret_problem) : change_key(c, directory, ret_problem);
}

int acme_account_run(AcmeSession *session, const AcmeCa *ca, AcmeAccountOperation operation, const char *url, const AcmeSigner *signer,
                     Problem **ret_problem) {
        return acme_session_work(session, ca, signer, work, &(Run){ operation, url }, ret_problem);
}
