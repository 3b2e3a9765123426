/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/renewal-info.h"

#include <errno.h>

#include "acme/retry.h"
#include "acme/url.h"
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"

#define RENEWAL_INFO "renewal information"

void acme_renewal_info_done(AcmeRenewalInfo *info) {
        free(info->explanation_url);
        *info = (AcmeRenewalInfo){};
}

static bool certificate_id_is_valid(const char *id) {
        _auto_free_ char *key = NULL;
        const char *dot;

        if (str_is_empty(id) || strlen(id) > ACME_CERTIFICATE_ID_MAX)
                return false;
        dot = strchr(id, '.');
        key = dot ? strndup(id, (size_t) (dot - id)) : NULL;
        return key && base64url_is_valid(key) && base64url_is_valid(dot + 1);
}

/* RFC 9773 4.2: a window whose end is not after its start is as good as no answer. */
static int take_window(JsonObject *o, AcmeRenewalInfo *info, const char **ret_why) {
        JsonObject *window = json_get_object(o, "suggestedWindow");
        const char *start = window ? json_get_string(window, "start") : NULL, *end = window ? json_get_string(window, "end") : NULL;

        if (!start || clock_parse_rfc3339(start, &info->start_usec) < 0)
                *ret_why = "'suggestedWindow' has no 'start' that is a time";
        else if (!end || clock_parse_rfc3339(end, &info->end_usec) < 0)
                *ret_why = "'suggestedWindow' has no 'end' that is a time";
        else if (info->end_usec <= info->start_usec)
                *ret_why = "the end of the window is not after its start";
        else
                return 0;
        return -EBADMSG;
}

int acme_renewal_info_parse(const char *url, const char *data, size_t size, AcmeRenewalInfo *ret, Problem **ret_problem) {
        _auto_json_ JsonObject *o = NULL;
        AcmeRenewalInfo info = {};
        const char *explanation, *why = NULL;
        int r;

        assert(url);
        assert(ret);

        r = json_parse(data, size, &o, NULL);
        if (r < 0)
                return r;
        if (r > 0 || !json_object_is_type(o, json_type_object))
                return acme_client_bad_answer(url, RENEWAL_INFO, "not a JSON object", ret_problem);
        if (take_window(o, &info, &why) < 0)
                return acme_client_bad_answer(url, RENEWAL_INFO, why, ret_problem);

        /* It is shown to people, who may follow it. */
        explanation = json_get_string(o, "explanationURL");
        if (acme_url_is_valid(explanation) && str_replace(&info.explanation_url, explanation) < 0)
                return -ENOMEM;
        *ret = info;
        return 0;
}

typedef struct Round {
        const AcmeCertificateId *certificates;
        size_t n_certificates;
        const AcmeSigner *signer;
        AcmeClient *client;
        const char *base; /* "renewalInfo" of the directory */
        Problem *all;     /* what keeps us from asking any further; NULL: nothing */
        uint64_t all_retry_after_usec;
} Round;

static char *make_url(const char *base, const char *id) {
        return str_printf("%s%s%s", base, str_has_suffix(base, "/") ? "" : "/", id);
}

/* After these there is no sense in asking for the next one. */
static bool concerns_all(const Problem *p) {
        return p && (str_equal(p->type, PROBLEM_TYPE_CONNECTION) || p->status == 429 || p->status == 503);
}

static int ask(Round *round, const char *id, AcmeRenewalInfo *ret, uint64_t *ret_retry_after_usec, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        _auto_free_ char *url = NULL;
        int r;

        if (!certificate_id_is_valid(id)) {
                problem_set(ret_problem, PROBLEM_TYPE_INTERNAL, "'%s' is no identifier of a certificate", str_or(id, ""));
                return -EINVAL;
        }
        url = make_url(round->base, id);
        if (!url)
                return -ENOMEM;
        if (!acme_url_is_valid(url))
                return acme_client_bad_answer(round->base, "the URL of renewal information", "it is too long", ret_problem);

        r = acme_client_get(round->client, url, &answer, ret_problem);
        *ret_retry_after_usec = acme_client_retry_after_usec(round->client, &answer);
        if (r != 0)
                return r < 0 ? r : -EREMOTEIO;
        r = acme_renewal_info_parse(url, answer.body.data, answer.body.size, ret, ret_problem);
        if (r == 0)
                ret->retry_after_usec = *ret_retry_after_usec;
        return r;
}

static int tell_failure(Round *round, const char *token, const Problem *why, uint64_t retry_after_usec, Problem **ret_problem) {
        return round->signer->renewal_info_failed(round->signer->userdata, token, why, retry_after_usec, ret_problem);
}

static int ask_and_tell(Round *round, const AcmeCertificateId *certificate, Problem **ret_problem) {
        _cleanup_(acme_renewal_info_done) AcmeRenewalInfo info = {};
        _auto_problem_ Problem *why = NULL;
        uint64_t retry_after_usec = 0;
        int r;

        if (round->all)
                return tell_failure(round, certificate->token, round->all, round->all_retry_after_usec, ret_problem);

        r = ask(round, certificate->id, &info, &retry_after_usec, &why);
        if (r == 0)
                return round->signer->renewal_info(round->signer->userdata, certificate->token, &info, ret_problem);
        if (!why)
                return r;
        r = tell_failure(round, certificate->token, why, retry_after_usec, ret_problem);
        if (concerns_all(why)) {
                round->all = take_ptr(why);
                round->all_retry_after_usec = retry_after_usec;
        }
        return r;
}

static int go_round(AcmeClient *c, const AcmeDirectory *directory, void *userdata, Problem **ret_problem) {
        Round *round = userdata;
        int r = 0;

        acme_client_set_activity(c, "asking the CA when to renew");
        round->client = c;
        round->base = directory->renewal_info;
        if (!round->base) {
                round->all = problem_new(PROBLEM_TYPE_BAD_ANSWER, "The CA offers no renewal information (its directory has no 'renewalInfo')");
                if (!round->all)
                        return -ENOMEM;
        }
        for (size_t i = 0; i < round->n_certificates && r >= 0; i++)
                r = ask_and_tell(round, &round->certificates[i], ret_problem);
        round->all = problem_free(round->all);
        return r;
}

int acme_renewal_info_run(AcmeSession *session, const AcmeCa *ca, const AcmeCertificateId *certificates, size_t n_certificates,
                          const AcmeSigner *signer, Problem **ret_problem) {
        Round round = { .certificates = certificates, .n_certificates = n_certificates, .signer = signer };

        return acme_session_work(session, ca, signer, go_round, &round, ret_problem);
}
