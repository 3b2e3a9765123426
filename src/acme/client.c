/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client.h"

#include <errno.h>
#include <stdarg.h>

#include "acme/directory.h"
#include "acme/problem.h"
#include "acme/retry.h"
#include "acme/url.h"
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"

#define TYPE_JOSE "application/jose+json"
#define TYPE_JSON "application/json"
#define USER_AGENT "md-manager"

struct AcmeClient {
        const AcmeTransport *transport;
        char *directory_url, *ca_file, *proxy, *proxy_ca_file;
        AcmeDirectory *directory;
        uint64_t directory_fetched_usec;
        char *nonces[ACME_NONCES_MAX]; /* the newest last */
        size_t n_nonces;

        /* of the renewal under way */
        const AcmeSigner *signer;
        const char *user_agent;
        char *activity;
};

AcmeClient *acme_client_new(const AcmeTransport *transport, const AcmeCa *ca) {
        AcmeClient *c;

        assert(transport);
        assert(ca && ca->directory_url);

        c = calloc(1, sizeof(*c));
        if (!c)
                return NULL;
        c->transport = transport;
        if (str_replace(&c->directory_url, ca->directory_url) < 0 || str_replace(&c->ca_file, str_or(ca->ca_file, NULL)) < 0 ||
            str_replace(&c->proxy, str_or(ca->proxy, NULL)) < 0 || str_replace(&c->proxy_ca_file, str_or(ca->proxy_ca_file, NULL)) < 0)
                return acme_client_free(c);
        return c;
}

static void forget_nonces(AcmeClient *c) {
        while (c->n_nonces > 0)
                free(c->nonces[--c->n_nonces]);
}

AcmeClient *acme_client_free(AcmeClient *c) {
        if (!c)
                return NULL;

        forget_nonces(c);
        acme_directory_free(c->directory);
        free(c->directory_url);
        free(c->ca_file);
        free(c->proxy);
        free(c->proxy_ca_file);
        free(c->activity);
        free(c);
        return NULL;
}

void acme_client_begin(AcmeClient *c, const AcmeSigner *signer, const char *user_agent) {
        assert(c);
        assert(signer);

        c->signer = signer;
        c->user_agent = str_or(user_agent, USER_AGENT);
}

void acme_client_end(AcmeClient *c) {
        c->signer = NULL;
        c->user_agent = NULL;
        free(c->activity);
        c->activity = NULL;
}

const AcmeSigner *acme_client_signer(const AcmeClient *c) {
        return c->signer;
}

void acme_client_set_activity(AcmeClient *c, const char *format, ...) {
        va_list ap;
        char *text;

        va_start(ap, format);
        text = str_vprintf(format, ap);
        va_end(ap);
        if (!text)
                return; /* the old one has to do */

        free(c->activity);
        c->activity = text;
        if (c->signer->progress)
                c->signer->progress(c->signer->userdata, text);
}

const char *acme_client_activity(const AcmeClient *c) {
        return c->activity;
}

uint64_t acme_client_monotonic_usec(const AcmeClient *c) {
        return c->transport->monotonic_usec(c->transport->userdata);
}

static uint64_t now_usec(const AcmeClient *c) {
        return c->transport->now_usec(c->transport->userdata);
}

uint64_t acme_client_retry_after_usec(const AcmeClient *c, const AcmeAnswer *a) {
        return acme_retry_after_usec(a, now_usec(c));
}

uint64_t acme_client_date_after_usec(const AcmeClient *c, uint64_t usec) {
        return usec_add(now_usec(c), usec);
}

int acme_client_wait(AcmeClient *c, uint64_t usec, Problem **ret_problem) {
        if (c->signer->wait)
                return c->signer->wait(c->signer->userdata, usec, ret_problem);
        c->transport->wait(c->transport->userdata, usec);
        return 0;
}

/* RFC 8555 6.5.1: what is no nonce is ignored. */
static int keep_nonce(AcmeClient *c, const AcmeAnswer *a) {
        char *nonce;

        if (!a->nonce || strlen(a->nonce) > ACME_NONCE_LENGTH_MAX || !base64url_is_valid(a->nonce))
                return 0;
        nonce = strdup(a->nonce);
        if (!nonce)
                return -ENOMEM;

        if (c->n_nonces == ACME_NONCES_MAX) {
                free(c->nonces[0]);
                memmove(c->nonces, c->nonces + 1, (ACME_NONCES_MAX - 1) * sizeof(*c->nonces));
                c->n_nonces--;
        }
        c->nonces[c->n_nonces++] = nonce;
        return 0;
}

/* Every exchange with the CA goes through here. 'timeout_usec' 0: the usual one. */
static int exchange(AcmeClient *c, AcmeRequest *request, AcmeAnswer *answer, Problem **ret_problem) {
        int r;

        request->ca_file = c->ca_file;
        request->proxy = c->proxy;
        request->proxy_ca_file = c->proxy_ca_file;
        request->user_agent = c->user_agent;
        if (request->timeout_usec == 0)
                request->timeout_usec = ACME_EXCHANGE_TIMEOUT_USEC;

        acme_answer_init(answer, ACME_BODY_MAX);
        r = c->transport->exchange(c->transport->userdata, request, answer, ret_problem);
        if (r < 0)
                return r;
        return keep_nonce(c, answer);
}

static int refused(AcmeClient *c, const char *url, const AcmeAnswer *answer, Problem **ret_problem) {
        Problem *p = acme_problem_from_answer(answer, url, now_usec(c));

        if (!p)
                return -ENOMEM;
        *ret_problem = p;
        return ACME_CLIENT_E_REFUSED;
}

static int get(AcmeClient *c, const char *url, const char *accept, AcmeAnswer *answer, Problem **ret_problem) {
        AcmeRequest request = { .method = ACME_METHOD_GET, .url = url, .accept = accept };
        int r;

        r = exchange(c, &request, answer, ret_problem);
        return r < 0 || acme_answer_is_success(answer) ? r : refused(c, url, answer, ret_problem);
}

int acme_client_get(AcmeClient *c, const char *url, AcmeAnswer *answer, Problem **ret_problem) {
        assert(acme_url_is_valid(url));
        assert(ret_problem && !*ret_problem);

        return get(c, url, TYPE_JSON, answer, ret_problem);
}

static int fetch_directory(AcmeClient *c, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        AcmeDirectory *directory = NULL;
        int r;

        r = get(c, c->directory_url, TYPE_JSON, &answer, ret_problem);
        if (r != 0)
                return r < 0 ? r : -EREMOTEIO;
        r = acme_directory_parse(c->directory_url, answer.body.data, answer.body.size, &directory, ret_problem);
        if (r < 0)
                return r;

        acme_directory_free(c->directory);
        c->directory = directory;
        c->directory_fetched_usec = acme_client_monotonic_usec(c);
        return 0;
}

int acme_client_directory(AcmeClient *c, const AcmeDirectory **ret, Problem **ret_problem) {
        int r;

        if (!c->directory || usec_sub(acme_client_monotonic_usec(c), c->directory_fetched_usec) > ACME_DIRECTORY_AGE_MAX_USEC) {
                r = fetch_directory(c, ret_problem);
                if (r < 0)
                        return r;
        }
        *ret = c->directory;
        return 0;
}

static int fetch_nonce(AcmeClient *c, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        AcmeRequest request = { .method = ACME_METHOD_HEAD, .url = c->directory->new_nonce };
        int r;

        r = exchange(c, &request, &answer, ret_problem);
        if (r < 0)
                return r;
        if (!acme_answer_is_success(&answer)) {
                r = refused(c, request.url, &answer, ret_problem);
                return r < 0 ? r : -EREMOTEIO;
        }
        if (c->n_nonces == 0)
                return acme_client_bad_answer(request.url, "a nonce", "there is no usable Replay-Nonce in the answer", ret_problem);
        return 0;
}

/* The newest nonce: the older ones are more likely to have been forgotten by the CA. */
static int take_nonce(AcmeClient *c, char **ret, Problem **ret_problem) {
        int r;

        if (c->n_nonces == 0) {
                r = fetch_nonce(c, ret_problem);
                if (r < 0)
                        return r;
        }
        *ret = c->nonces[--c->n_nonces];
        return 0;
}

static int post_once(AcmeClient *c, const AcmePost *post, AcmeAnswer *answer, Problem **ret_problem) {
        _auto_free_ char *nonce = NULL, *body = NULL;
        AcmeRequest request = {
                .method = ACME_METHOD_POST,
                .url = post->url,
                .accept = str_or(post->accept, TYPE_JSON),
                .content_type = TYPE_JOSE,
                .timeout_usec = post->timeout_usec,
        };
        int r;

        r = take_nonce(c, &nonce, ret_problem);
        if (r < 0)
                return r;
        r = c->signer->sign(c->signer->userdata, post->kind, post->url, nonce, &body, ret_problem);
        if (r < 0)
                return r;
        request.body = body;
        return exchange(c, &request, answer, ret_problem);
}

/* When the CA has forgotten one nonce it has likely forgotten all that came before the one in its answer. */
static void forget_old_nonces(AcmeClient *c, const AcmeAnswer *answer) {
        char *newest;

        if (!answer->nonce || c->n_nonces == 0) {
                forget_nonces(c);
                return;
        }
        newest = c->nonces[--c->n_nonces];
        forget_nonces(c);
        c->nonces[c->n_nonces++] = newest;
}

int acme_client_post(AcmeClient *c, const AcmePost *post, AcmeAnswer *answer, Problem **ret_problem) {
        assert(c && c->signer && c->directory);
        assert(acme_url_is_valid(post->url));
        assert(ret_problem && !*ret_problem);

        *answer = (AcmeAnswer){};
        for (unsigned retries = 0;; retries++) {
                _auto_problem_ Problem *problem = NULL;
                int r;

                acme_answer_done(answer);
                r = post_once(c, post, answer, ret_problem);
                if (r < 0 || acme_answer_is_success(answer))
                        return r;

                r = refused(c, post->url, answer, &problem);
                if (r < 0)
                        return r;
                if (answer->status == 405 && post->kind == ACME_REQUEST_POST_AS_GET) {
                        acme_answer_done(answer);
                        return get(c, post->url, str_or(post->accept, TYPE_JSON), answer, ret_problem);
                }
                if (!acme_problem_is(problem, "badNonce") || retries >= ACME_BAD_NONCE_RETRIES_MAX) {
                        *ret_problem = take_ptr(problem);
                        return ACME_CLIENT_E_REFUSED;
                }
                forget_old_nonces(c, answer);
        }
}

int acme_client_bad_answer(const char *url, const char *what, const char *why, Problem **ret_problem) {
        problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "What %s sent as %s is none: %s", url, what, why);
        return -EBADMSG;
}

int acme_client_parse(const AcmePost *post, const AcmeAnswer *answer, const char *what, JsonObject **ret, Problem **ret_problem) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *where = NULL;
        int r;

        r = json_parse(answer->body.data, answer->body.size, &o, &where);
        if (r < 0)
                return r;
        if (r > 0) {
                _auto_free_ char *why = str_printf("not JSON (%s)", str_or(where, "empty"));

                return why ? acme_client_bad_answer(post->url, what, why, ret_problem) : -ENOMEM;
        }
        if (!json_object_is_type(o, json_type_object))
                return acme_client_bad_answer(post->url, what, "not a JSON object", ret_problem);
        *ret = take_ptr(o);
        return 0;
}
