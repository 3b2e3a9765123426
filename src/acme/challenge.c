/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/challenge.h"

#include <errno.h>

#include "acme/problem.h"
#include "acme/url.h"
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"

static const char *const acme_challenge_status_table[] = {
        [ACME_CHALLENGE_PENDING] = "pending",
        [ACME_CHALLENGE_PROCESSING] = "processing",
        [ACME_CHALLENGE_VALID] = "valid",
        [ACME_CHALLENGE_INVALID] = "invalid",
};

DEFINE_ENUM_TABLE(acme_challenge_status, AcmeChallengeStatus)

void acme_challenge_done(AcmeChallenge *ch) {
        free(ch->type);
        free(ch->url);
        free(ch->token);
        strv_free(ch->issuers);
        free(ch->account_uri);
        problem_free(ch->error);
        *ch = (AcmeChallenge){};
}

/* RFC 8555 8.1 says what a token may be; it becomes part of a path. Types that we do not know may do without. */
static bool token_is_usable(const char *token) {
        return !token || (strlen(token) <= ACME_TOKEN_MAX && base64url_is_valid(token));
}

static bool type_is_usable(const char *type) {
        return !str_is_empty(type) && strlen(type) <= ACME_CHALLENGE_TYPE_MAX &&
                type[strspn(type, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static bool issuer_is_usable(const char *name) {
        size_t n = strlen(name);

        return n > 0 && n <= 253 && name[n - 1] != '.' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0';
}

/* It becomes the value of a parameter (RFC 8659 section 4.2). */
static bool account_uri_is_usable(const char *uri) {
        size_t n = strnlen(uri, ACME_ACCOUNT_URI_MAX + 1);

        if (n == 0 || n > ACME_ACCOUNT_URI_MAX)
                return false;
        for (; *uri; uri++)
                if (*uri <= ' ' || *uri >= 0x7f || *uri == ';')
                        return false;
        return true;
}

/* Half a list is none: which of the names the CA looks for would be a guess. */
static int take_issuers(JsonObject *o, AcmeChallenge *ch) {
        const char *account_uri = json_get_string(o, "accounturi");
        _auto_strv_ char **issuers = NULL;
        int r;

        r = json_get_strv(o, "issuer-domain-names", ACME_ISSUERS_MAX, &issuers);
        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        STRV_FOREACH(name, issuers)
                if (!issuer_is_usable(*name))
                        return 0;
        if (account_uri && !account_uri_is_usable(account_uri))
                return 0;
        if (str_replace(&ch->account_uri, account_uri) < 0)
                return -ENOMEM;
        ch->issuers = take_ptr(issuers);
        return 0;
}

bool acme_challenge_can_be_answered(const AcmeChallenge *ch) {
        return str_equal(ch->type, ACME_CHALLENGE_DNS_PERSIST) ? strv_length(ch->issuers) > 0 : ch->token != NULL;
}

int acme_challenge_parse(JsonObject *o, AcmeChallenge *ret) {
        const char *type = json_get_string(o, "type"), *url = json_get_string(o, "url"), *token = json_get_string(o, "token");
        AcmeChallenge ch = {};
        JsonObject *error;

        if (!type_is_usable(type) || !acme_url_is_valid(url) || !token_is_usable(token) ||
            acme_challenge_status_from_string(json_get_string(o, "status"), &ch.status) < 0)
                return ACME_CHALLENGE_E_UNUSABLE;

        error = json_get_object(o, "error");
        if (error)
                ch.error = acme_problem_from_json(error, "The validation");
        if ((error && !ch.error) || str_replace(&ch.type, type) < 0 || str_replace(&ch.url, url) < 0 ||
            str_replace(&ch.token, token) < 0 || take_issuers(o, &ch) < 0) {
                acme_challenge_done(&ch);
                return -ENOMEM;
        }
        str_to_lower(ch.type);
        *ret = ch;
        return 0;
}

int acme_challenge_tell(AcmeClient *c, const AcmeChallenge *ch, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        AcmePost post = { .kind = ACME_REQUEST_CHALLENGE, .url = ch->url };
        int r;

        r = acme_client_post(c, &post, &answer, ret_problem);
        return r > 0 ? -EREMOTEIO : r;
}
