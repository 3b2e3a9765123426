/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/order.h"

#include <errno.h>

#include "acme/problem.h"
#include "acme/retry.h"
#include "acme/url.h"
#include "base/cleanup.h"
#include "base/string-util.h"

/* In a row. With our rhythm that is half a minute: a CA that was only restarted is back by then. */
enum { TROUBLES_MAX = 10 };

#define ORDER "an order"

static const char *const acme_order_status_table[] = {
        [ACME_ORDER_PENDING] = "pending",
        [ACME_ORDER_READY] = "ready",
        [ACME_ORDER_PROCESSING] = "processing",
        [ACME_ORDER_VALID] = "valid",
        [ACME_ORDER_INVALID] = "invalid",
};

DEFINE_ENUM_TABLE(acme_order_status, AcmeOrderStatus)

static void forget_answer(AcmeOrder *o) {
        free(o->finalize);
        free(o->certificate);
        strv_free(o->authorizations);
        problem_free(o->error);
        o->finalize = NULL;
        o->certificate = NULL;
        o->authorizations = NULL;
        o->error = NULL;
}

AcmeOrder *acme_order_free(AcmeOrder *o) {
        if (!o)
                return NULL;

        forget_answer(o);
        free(o->url);
        free(o);
        return NULL;
}

static int take_authorizations(AcmeOrder *o, JsonObject *json) {
        int r;

        r = json_get_strv(json, "authorizations", ACME_AUTHORIZATIONS_MAX, &o->authorizations);
        if (r < 0)
                return r;
        STRV_FOREACH(url, o->authorizations)
                if (!acme_url_is_valid(*url))
                        return -EBADMSG;
        /* Nothing to prove is possible, but not while the CA waits for proofs. */
        return o->authorizations || o->status != ACME_ORDER_PENDING ? 0 : -EBADMSG;
}

static int take_texts(AcmeOrder *o, JsonObject *json) {
        const char *certificate = json_get_string(json, "certificate");
        JsonObject *error = json_get_object(json, "error");
        const char *expires = json_get_string(json, "expires");

        if (str_replace(&o->finalize, json_get_string(json, "finalize")) < 0)
                return -ENOMEM;
        if (acme_url_is_valid(certificate) && str_replace(&o->certificate, certificate) < 0)
                return -ENOMEM;
        if (expires)
                (void) clock_parse_rfc3339(expires, &o->expires_usec);
        if (error) {
                o->error = acme_problem_from_json(error, "The order");
                if (!o->error)
                        return -ENOMEM;
        }
        return 0;
}

/* Every answer about an order holds all of it. */
static int take_answer(AcmeClient *c, AcmeOrder *o, const AcmePost *post, const AcmeAnswer *answer, Problem **ret_problem) {
        _auto_json_ JsonObject *json = NULL;
        int r;

        r = acme_client_parse(post, answer, ORDER, &json, ret_problem);
        if (r < 0)
                return r;

        forget_answer(o);
        o->retry_after_usec = acme_client_retry_after_usec(c, answer);
        if (acme_order_status_from_string(json_get_string(json, "status"), &o->status) < 0)
                return acme_client_bad_answer(post->url, ORDER, "it has no 'status' that is known", ret_problem);
        r = take_texts(o, json);
        if (r < 0)
                return r;
        if (!acme_url_is_valid(o->finalize))
                return acme_client_bad_answer(post->url, ORDER, "it has no usable 'finalize'", ret_problem);
        r = take_authorizations(o, json);
        if (r == -EBADMSG)
                return acme_client_bad_answer(post->url, ORDER, "it has no usable 'authorizations'", ret_problem);
        if (r < 0)
                return r;
        if (o->status == ACME_ORDER_VALID && !o->certificate)
                return acme_client_bad_answer(post->url, ORDER, "it is valid but has no usable 'certificate'", ret_problem);
        return 0;
}

int acme_order_create(AcmeClient *c, const AcmeDirectory *directory, AcmeOrder **ret, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        _auto_acme_order_ AcmeOrder *o = NULL;
        AcmePost post = { .kind = ACME_REQUEST_NEW_ORDER, .url = directory->new_order };
        int r;

        r = acme_client_post(c, &post, &answer, ret_problem);
        if (r == ACME_CLIENT_E_REFUSED) {
                if (acme_problem_is(*ret_problem, "accountDoesNotExist"))
                        return ACME_ORDER_E_ACCOUNT_REJECTED;
                /* CAs say this of an account that was deactivated, and also of names that a good account has no right to. */
                return acme_problem_is(*ret_problem, "unauthorized") ? ACME_ORDER_E_UNAUTHORIZED : ACME_ORDER_E_REFUSED;
        }
        if (r < 0)
                return r;
        if (!acme_url_is_valid(answer.location))
                return acme_client_bad_answer(post.url, ORDER, "no usable URL in 'Location'", ret_problem);

        o = calloc(1, sizeof(*o));
        if (!o || str_replace(&o->url, answer.location) < 0)
                return -ENOMEM;
        r = take_answer(c, o, &post, &answer, ret_problem);
        if (r < 0)
                return r;
        *ret = take_ptr(o);
        return 0;
}

/* The three ways in which CAs say that an order is not ours to look at. */
static bool is_gone(const AcmeAnswer *answer) {
        return answer->status == 401 || answer->status == 403 || answer->status == 404 || answer->status == 410;
}

static int look(AcmeClient *c, AcmeOrder *o, uint64_t timeout_usec, AcmeAnswer *answer, Problem **ret_problem) {
        AcmePost post = { .kind = ACME_REQUEST_POST_AS_GET, .url = o->url, .timeout_usec = timeout_usec };
        int r;

        r = acme_client_post(c, &post, answer, ret_problem);
        return r == 0 ? take_answer(c, o, &post, answer, ret_problem) : r;
}

int acme_order_refresh(AcmeClient *c, AcmeOrder *o, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        int r;

        r = look(c, o, 0, &answer, ret_problem);
        if (r == ACME_CLIENT_E_REFUSED)
                return is_gone(&answer) ? ACME_ORDER_E_GONE : -EREMOTEIO;
        return r;
}

int acme_order_resume(AcmeClient *c, const char *url, AcmeOrder **ret, Problem **ret_problem) {
        _auto_acme_order_ AcmeOrder *o = NULL;
        int r;

        o = calloc(1, sizeof(*o));
        if (!o || str_replace(&o->url, url) < 0)
                return -ENOMEM;
        r = acme_order_refresh(c, o, ret_problem);
        if (r != 0)
                return acme_problem_is(*ret_problem, "accountDoesNotExist") ? ACME_ORDER_E_ACCOUNT_REJECTED : r;
        *ret = take_ptr(o);
        return 0;
}

/* Troubles that pass: the CA is overloaded or being restarted, or the network is. */
static bool may_pass(const Problem *p) {
        return p && (str_equal(p->type, PROBLEM_TYPE_CONNECTION) || p->status == 429 || p->status >= 500);
}

/* One look. 0: there is news; TROUBLE: there is none, but it was no final word. */
enum { LOOK_E_TROUBLE = 1 };

static int look_patiently(AcmeClient *c, AcmeOrder *o, uint64_t timeout_usec, Problem **trouble, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        _auto_problem_ Problem *p = NULL;
        int r;

        r = look(c, o, timeout_usec, &answer, &p);
        if (r == 0)
                return 0;
        if (!may_pass(p)) {
                *ret_problem = take_ptr(p);
                return r < 0 ? r : -EREMOTEIO;
        }
        o->retry_after_usec = usec_sub(p->retry_after_usec, acme_client_date_after_usec(c, 0));
        problem_free(*trouble);
        *trouble = take_ptr(p);
        return LOOK_E_TROUBLE;
}

int acme_order_wait_while(AcmeClient *c, AcmeOrder *o, unsigned statuses, uint64_t timeout_usec, Problem **ret_problem) {
        _auto_problem_ Problem *trouble = NULL;
        unsigned n_troubles = 0;
        AcmeRetry retry;

        acme_retry_init(&retry, acme_client_monotonic_usec(c), timeout_usec);
        while (statuses & (1U << o->status)) {
                uint64_t wait_usec, now_usec = acme_client_monotonic_usec(c);
                int r;

                if (n_troubles >= TROUBLES_MAX || acme_retry_next(&retry, now_usec, o->retry_after_usec, &wait_usec) != 0) {
                        *ret_problem = take_ptr(trouble);
                        return n_troubles >= TROUBLES_MAX ? -EREMOTEIO : ACME_ORDER_E_TIMEOUT;
                }
                r = acme_client_wait(c, wait_usec, ret_problem);
                if (r < 0)
                        return r;

                /* The last look may take a little longer than the time that is left. */
                r = look_patiently(c, o,
                                   MIN_OF(usec_sub(retry.deadline_usec, now_usec) + 10 * USEC_PER_SEC, ACME_EXCHANGE_TIMEOUT_USEC),
                                   &trouble, ret_problem);
                if (r < 0)
                        return r;
                n_troubles = r == LOOK_E_TROUBLE ? n_troubles + 1 : 0;
                if (r == 0)
                        trouble = problem_free(trouble);
        }
        return 0;
}

int acme_order_finalize(AcmeClient *c, AcmeOrder *o, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        AcmePost post = { .kind = ACME_REQUEST_FINALIZE, .url = o->finalize };
        _auto_free_ char *url = NULL; /* outlives what take_answer() replaces */
        int r;

        url = strdup(o->finalize);
        if (!url)
                return -ENOMEM;
        post.url = url;

        r = acme_client_post(c, &post, &answer, ret_problem);
        if (r == ACME_CLIENT_E_REFUSED) {
                if (acme_problem_is(*ret_problem, "orderNotReady"))
                        return ACME_ORDER_E_NOT_READY;
                return answer.status == 404 || answer.status == 410 ? ACME_ORDER_E_GONE : -EREMOTEIO;
        }
        return r < 0 ? r : take_answer(c, o, &post, &answer, ret_problem);
}

Problem *acme_order_problem(const AcmeOrder *o) {
        if (o->error)
                return problem_copy(o->error);
        return problem_new(PROBLEM_TYPE_BAD_ANSWER, "The CA says that the order is %s, and not why",
                           acme_order_status_to_string(o->status));
}
