/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/tailscale.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/http-answer.h"
#include "base/log.h"
#include "base/string-util.h"
#include "config.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "manager/deliver.h"
#include "manager/job-bus.h"
#include "manager/local-exchange.h"
#include "manager/renewal-keys.h"
#include "store/domain.h"

/* The only one that the daemon takes: it keeps browsers from being talked into asking it. */
#define HOST "local-tailscaled.sock"
#define CERTIFICATE_BEGIN "-----BEGIN CERTIFICATE-----"
#define SOCKET_URL "file://localhost/"

enum { SAID_MAX = 400 }; /* what is told of the daemon's own words */

const char *tailscale_socket(const char *url) {
        const char *rest = str_after_prefix(url, SOCKET_URL);

        return rest && *rest ? rest - 1 : NULL;
}

/* --- Asking --- */

/* How long a certificate must be good for to be of use; 0: whatever there is. One that ends later than ours has the daemon renew its own when
 * MDRenewWindow says so, and not when it would by itself. Daemons that do not know the parameter pass over it. */
static uint64_t wanted_validity_usec(const Domain *d) {
        uint64_t until = 0;

        for (size_t i = 0; i < d->live.n; i++)
                if (d->live.items[i].key_matches)
                        until = MAX_OF(until, d->live.items[i].not_after_usec);
        until = usec_sub(until, clock_now_usec());
        return until > 0 ? until + USEC_PER_HOUR : 0;
}

/* HTTP/1.0: the answer ends with the connection, and no part of it is encoded. */
static char *make_request(const Domain *d) {
        uint64_t validity_s = wanted_validity_usec(d) / USEC_PER_SEC;
        _auto_free_ char *validity = validity_s > 0 ? str_printf("&min_validity=%" PRIu64 "s", validity_s) : strdup("");

        if (!validity)
                return NULL;
        return str_printf("GET /localapi/v0/cert/%s?type=pair%s HTTP/1.0\r\nHost: " HOST "\r\nConnection: close\r\n\r\n", DOMAIN_NAME(d), validity);
}

static Problem *problem_of_socket(const char *path, int error) {
        switch (error) {

        case -ENOENT:
        case -ECONNREFUSED:
                return problem_new(PROBLEM_TYPE_CONNECTION, "Nobody listens at %s (%s): is tailscaled running?", path, strerror(-error));

        case -EACCES:
        case -EPERM:
        case -ENAMETOOLONG:
                return problem_new(PROBLEM_TYPE_SETTING, "%s cannot be used as the socket of tailscaled: %s", path, strerror(-error));

        case -EMSGSIZE:
                return problem_new(PROBLEM_TYPE_BAD_ANSWER, "The daemon at %s says more than any certificate needs", path);

        default:
                return problem_new(PROBLEM_TYPE_CONNECTION, "Cannot talk to tailscaled at %s: %s", path, strerror(-error));
        }
}

/* --- Judging --- */

static Problem *problem_of_status(const Renewal *r, const HttpAnswer *a) {
        const char *name = DOMAIN_NAME(r->domain);
        _auto_free_ char *said = str_printable(a->body, a->body_size, SAID_MAX);
        size_t n = said ? strlen(said) : 0;

        while (n > 0 && said[n - 1] == ' ')
                said[--n] = 0;
        switch (a->status) {

        case 400:
                return problem_new(PROBLEM_ACME_PREFIX "malformed", "tailscaled does not take the request for %s (400): %s", name, str_or(said, "no reason given"));

        case 401:
        case 403:
                return problem_new(PROBLEM_TYPE_SETTING,
                                   "tailscaled lets user " MANAGER_USER " have no certificates (%u: %s); write TS_PERMIT_CERT_UID=" MANAGER_USER
                                   " into /etc/default/tailscaled and restart tailscaled.service",
                                   a->status, str_or(said, "no reason given"));

        case 404:
                return problem_new(PROBLEM_TYPE_SETTING, "tailscaled has no certificate for %s (404): %s", name, str_or(said, "no reason given"));

        case 429:
                return problem_new(PROBLEM_ACME_PREFIX "rateLimited", "tailscaled gets no certificate for %s now (429): %s", name, str_or(said, "no reason given"));

        default:
                return problem_new(PROBLEM_TYPE_HTTP, "tailscaled has no certificate for %s (%u): %s", name, a->status, str_or(said, "no reason given"));
        }
}

/* The key's block comes first, the chain behind it. */
static int read_pair(const HttpAnswer *a, EVP_PKEY **ret_key, char **ret_chain, Problem **ret_problem) {
        const char *chain = memmem(a->body, a->body_size, CERTIFICATE_BEGIN, strlen(CERTIFICATE_BEGIN));
        size_t size = chain ? a->body_size - (size_t) (chain - a->body) : 0;
        _auto_pkey_ EVP_PKEY *key = NULL;
        int r;

        if (!chain || memchr(chain, 0, size)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_CHAIN, "There is no certificate in it");
                return -EBADMSG;
        }
        r = key_from_pem(a->body, (size_t) (chain - a->body), &key, ret_problem);
        if (r < 0)
                return r;
        *ret_chain = strndup(chain, size);
        if (!*ret_chain)
                return -ENOMEM;
        *ret_key = take_ptr(key);
        return 0;
}

static bool is_live(const Domain *d, const char *chain_pem) {
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_free_ char *sha256 = NULL;

        if (cert_chain_from_pem(chain_pem, strlen(chain_pem), &chain, NULL) < 0 || cert_sha256(chain.certs[0], &sha256) < 0)
                return false;
        for (size_t i = 0; i < d->live.n; i++)
                if (d->live.items[i].key_matches && str_equal(d->live.items[i].sha256, sha256))
                        return true;
        return false;
}

/* --- Ends --- */

static void fail(Renewal *r, int error, Problem *problem) {
        _auto_problem_ Problem *p = problem ? problem : problem_new(PROBLEM_TYPE_INTERNAL, "Cannot ask tailscaled: %s", strerror(-error));

        task_end(&r->task, p);
}

/* No failure, and nothing to do before tomorrow. */
static void end_without_news(Renewal *r) {
        Domain *d = r->domain;

        log_info("%s: tailscaled has the certificate that is in use; it is asked again in a day.", DOMAIN_NAME(d));
        (void) store_staging_discard(d->manager->store, DOMAIN_NAME(d));
        d->job->phase = JOB_PHASE_IDLE;
        d->job->finished = true;
        d->job->errors = d->job->ca_errors = 0;
        d->job->last = problem_free(d->job->last);
        d->job->next_run_usec = clock_now_usec() + USEC_PER_DAY;
        task_end(&r->task, NULL);
}

static void take_pair(Renewal *r, const HttpAnswer *a) {
        _auto_free_ char *chain = NULL;
        Problem *p = NULL;
        int k;

        k = read_pair(a, &r->keys[0].key, &chain, &p);
        if (k == -EBADMSG)
                problem_prefix(p, "What tailscaled sent is no certificate with its key");
        if (k == 0 && is_live(r->domain, chain)) {
                end_without_news(r);
                return;
        }
        if (k == 0)
                k = renewal_keep_key(r, 0);
        if (k == 0)
                k = deliver_chain(r, (char *const[]){ chain, NULL }, &p);
        if (k < 0) {
                fail(r, k, p);
                return;
        }
        job_note_issued(r->domain->job, clock_now_usec());
        renewal_certificate_came(r);
        task_end(&r->task, NULL);
}

static void on_answer(LocalExchange *x, int error, const char *data, size_t size, void *userdata) {
        Renewal *r = userdata;
        const char *why;
        HttpAnswer a;
        Problem *p;

        if (error < 0) {
                fail(r, error, problem_of_socket(tailscale_socket(r->task.ca_url), error));
                return;
        }
        if (http_answer_parse(data, size, &a, &why) != HTTP_ANSWER_DONE) {
                fail(r, -EBADMSG, problem_new(PROBLEM_TYPE_BAD_ANSWER, "The answer of tailscaled at %s makes no sense: %s", tailscale_socket(r->task.ca_url), why));
                return;
        }
        if (a.status == 200) {
                take_pair(r, &a);
                return;
        }
        p = problem_of_status(r, &a);
        if (p) {
                p->status = a.status;
                if (a.retry_after_s > 0)
                        p->retry_after_usec = usec_add(clock_now_usec(), MIN_OF(a.retry_after_s, (uint64_t) 366 * 86400) * USEC_PER_SEC);
        }
        fail(r, -EIO, p);
}

void tailscale_start(Renewal *r) {
        const char *path = tailscale_socket(r->task.ca_url);
        _auto_free_ char *request = make_request(r->domain);
        int k;

        assert(path); /* looked at before the renewal got its place */

        r->task.state = TASK_OPEN;
        k = request ? str_replace(&r->task.activity, "asking tailscaled") : -ENOMEM;
        if (k == 0)
                k = task_set_deadline(&r->task, r->task.class->steps_max * r->domain->manager->settings.step_timeout_usec);
        if (k < 0) {
                fail(r, k, NULL);
                return;
        }
        k = local_exchange_new(r->domain->manager->event, path, request, on_answer, r, &r->exchange);
        if (k < 0) {
                fail(r, k, k == -ENOMEM ? NULL : problem_of_socket(path, k));
                return;
        }
        job_bus_changed(&r->task);
}
