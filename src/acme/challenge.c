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
        problem_free(ch->error);
        *ch = (AcmeChallenge){};
}

/* RFC 8555 8.1 says what a token may be; it becomes part of a path. Types that we do not know may do without. */
static bool token_is_usable(const char *token) {
        return !token || (strlen(token) <= ACME_TOKEN_MAX && base64url_is_valid(token));
}

static bool type_is_usable(const char *type) {
        return !str_is_empty(type) && strlen(type) <= ACME_CHALLENGE_TYPE_MAX &&
                type[strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
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
            str_replace(&ch.token, token) < 0) {
                acme_challenge_done(&ch);
                return -ENOMEM;
        }
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
