/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/authz.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/enum-table.h"
#include "base/string-util.h"

static const char *const acme_authz_status_table[] = {
        [ACME_AUTHZ_PENDING] = "pending",
        [ACME_AUTHZ_VALID] = "valid",
        [ACME_AUTHZ_INVALID] = "invalid",
        [ACME_AUTHZ_DEACTIVATED] = "deactivated",
        [ACME_AUTHZ_EXPIRED] = "expired",
        [ACME_AUTHZ_REVOKED] = "revoked",
};

DEFINE_ENUM_TABLE(acme_authz_status, AcmeAuthzStatus)

AcmeAuthz *acme_authz_free(AcmeAuthz *a) {
        if (!a)
                return NULL;

        for (size_t i = 0; i < a->n_challenges; i++)
                acme_challenge_done(&a->challenges[i]);
        acme_challenge_check_done(&a->check);
        free(a->reasons);
        free(a->challenges);
        free(a->url);
        free(a->identifier_type);
        free(a->identifier);
        free(a);
        return NULL;
}

static bool identifier_is_usable(const char *s) {
        if (str_is_empty(s) || strlen(s) > ACME_IDENTIFIER_MAX)
                return false;
        for (; *s; s++)
                if (*s <= ' ' || *s >= 0x7f)
                        return false;
        return true;
}

static int take_identifier(AcmeAuthz *a, JsonObject *o) {
        JsonObject *identifier = json_get_object(o, "identifier");
        const char *type = identifier ? json_get_string(identifier, "type") : NULL;
        const char *value = identifier ? json_get_string(identifier, "value") : NULL;

        if (!identifier_is_usable(type) || !identifier_is_usable(value))
                return -EBADMSG;
        a->wildcard = json_get_bool(o, "wildcard", false);
        return str_replace(&a->identifier_type, type) < 0 || str_replace(&a->identifier, value) < 0 ? -ENOMEM : 0;
}

/* Those that cannot be answered are not on offer. */
static int take_challenges(AcmeAuthz *a, JsonObject *list) {
        size_t n = MIN_OF(json_object_array_length(list), (size_t) ACME_CHALLENGES_MAX);

        a->challenges = calloc(MAX_OF(n, (size_t) 1), sizeof(*a->challenges));
        if (!a->challenges)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                JsonObject *o = json_object_array_get_idx(list, i);
                int r;

                if (!json_object_is_type(o, json_type_object))
                        continue;
                r = acme_challenge_parse(o, &a->challenges[a->n_challenges]);
                if (r < 0)
                        return r;
                if (r == 0)
                        a->n_challenges++;
        }
        return 0;
}

static int parse(const AcmePost *post, const AcmeAnswer *answer, AcmeAuthz **ret, Problem **ret_problem) {
        static const char what[] = "an authorization";
        _auto_acme_authz_ AcmeAuthz *a = NULL;
        _auto_json_ JsonObject *o = NULL;
        JsonObject *challenges;
        int r;

        r = acme_client_parse(post, answer, what, &o, ret_problem);
        if (r < 0)
                return r;
        a = calloc(1, sizeof(*a));
        if (!a || str_replace(&a->url, post->url) < 0)
                return -ENOMEM;

        r = take_identifier(a, o);
        if (r == -EBADMSG)
                return acme_client_bad_answer(post->url, what, "it has no usable 'identifier'", ret_problem);
        if (r < 0)
                return r;
        if (acme_authz_status_from_string(json_get_string(o, "status"), &a->status) < 0)
                return acme_client_bad_answer(post->url, what, "it has no 'status' that is known", ret_problem);
        challenges = json_get_array(o, "challenges");
        if (!challenges)
                return acme_client_bad_answer(post->url, what, "it has no 'challenges'", ret_problem);
        r = take_challenges(a, challenges);
        if (r < 0)
                return r;

        *ret = take_ptr(a);
        return 0;
}

int acme_authz_fetch(AcmeClient *c, const char *url, AcmeAuthz **ret, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        AcmePost post = { .kind = ACME_REQUEST_POST_AS_GET, .url = url };
        int r;

        r = acme_client_post(c, &post, &answer, ret_problem);
        if (r == ACME_CLIENT_E_REFUSED)
                return answer.status == 404 || answer.status == 410 ? ACME_AUTHZ_E_GONE : -EREMOTEIO;
        if (r < 0)
                return r;
        return parse(&post, &answer, ret, ret_problem);
}

static const AcmeChallenge *offered(const AcmeAuthz *a, const char *type) {
        for (size_t i = 0; i < a->n_challenges; i++)
                if (str_equal(a->challenges[i].type, type) && a->challenges[i].status != ACME_CHALLENGE_INVALID &&
                    acme_challenge_can_be_answered(&a->challenges[i]))
                        return &a->challenges[i];
        return NULL;
}

static char *list_offered(const AcmeAuthz *a) {
        _auto_strv_ char **types = NULL;

        for (size_t i = 0; i < a->n_challenges; i++) {
                const AcmeChallenge *ch = &a->challenges[i];

                if (strv_consume(&types, str_printf("%s%s", ch->type, acme_challenge_can_be_answered(ch) ? "" : " (malformed)")) < 0)
                        return NULL;
        }
        return types ? strv_join(types, ", ") : strdup("nothing that can be used");
}

static const AcmeChallenge *under_way(const AcmeAuthz *a, char *const *allowed) {
        for (size_t i = 0; i < a->n_challenges; i++)
                if (a->challenges[i].status == ACME_CHALLENGE_PROCESSING && acme_challenge_can_be_answered(&a->challenges[i]) &&
                    strv_contains(allowed, a->challenges[i].type))
                        return &a->challenges[i];
        return NULL;
}

int acme_authz_choose(AcmeAuthz *a, char *const *allowed) {
        const AcmeChallenge *before = a->chosen;
        size_t n = strv_length(allowed);

        acme_challenge_check_done(&a->check);
        a->chosen = !before && a->n_tried == 0 ? under_way(a, allowed) : NULL;
        while (!a->chosen && a->n_tried < n) {
                a->chosen = offered(a, allowed[a->n_tried++]);
                if (a->chosen == before) /* it was under way, and did not do */
                        a->chosen = NULL;
        }
        return a->chosen ? ACME_AUTHZ_DONE : ACME_AUTHZ_E_NONE_LEFT;
}

Problem *acme_authz_mismatch(const AcmeAuthz *a, char *const *allowed) {
        _auto_free_ char *on_offer = list_offered(a), *wanted = NULL;

        wanted = strv_length(allowed) > 0 ? strv_join(allowed, ", ") : strdup("nothing");
        if (!on_offer || !wanted)
                return NULL;
        return problem_new(PROBLEM_TYPE_CHALLENGE_MISMATCH,
                           "There is no challenge for %s%s that both sides can do: the CA offers %s, allowed here: %s (MDCAChallenges)",
                           a->wildcard ? "*." : "", a->identifier, on_offer, wanted);
}

static const AcmeChallenge *failed_challenge(const AcmeAuthz *a) {
        for (size_t i = 0; i < a->n_challenges; i++)
                if (a->challenges[i].error)
                        return &a->challenges[i];
        return NULL;
}

Problem *acme_authz_problem(const AcmeAuthz *a) {
        const AcmeChallenge *failed = failed_challenge(a);
        const char *star = a->wildcard ? "*." : "";
        Problem *p;

        if (!failed)
                return problem_new(PROBLEM_TYPE_BAD_ANSWER, "The authorization of %s%s is %s, and the CA does not say why", star,
                                   a->identifier, acme_authz_status_to_string(a->status));
        p = problem_copy(failed->error);
        problem_prefix(p, "The CA could not validate %s%s (%s)", star, a->identifier, failed->type);
        return p;
}
