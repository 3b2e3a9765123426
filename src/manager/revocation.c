/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/revocation.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "crypto/cert.h"
#include "crypto/jws.h"
#include "crypto/key.h"
#include "manager/account-request.h"
#include "manager/accounts.h"
#include "manager/event.h"
#include "manager/job-bus.h"
#include "manager/ocsp.h"
#include "manager/renewal-keys.h"
#include "manager/sign-account.h"
#include "manager/sign-url.h"
#include "store/domain.h"

/* The certificates are held from the beginning: what takes their place meanwhile is not meant. */
typedef struct RevocationItem {
        X509 *cert;
        EVP_PKEY *key; /* NULL: missing or damaged */
} RevocationItem;

typedef struct Revocation {
        Task task; /* first; its subject is the domain's name */
        RevocationItem items[KEY_SPEC_MAX];
        size_t n, current;
        char *account;  /* that ordered them; NULL: not known */
        bool by_certificate_key;
        bool has_reason;
        unsigned reason;
        bool reissue;
        bool is_signed; /* the current one's */
} Revocation;

static const TaskClass revocation_class;

static Revocation *revocation_of(Task *t) {
        return t && t->class == &revocation_class ? (Revocation *) t : NULL;
}

static void release(Task *task) {
        Revocation *r = revocation_of(task);

        for (size_t i = 0; i < r->n; i++) {
                X509_free(r->items[i].cert);
                EVP_PKEY_free(r->items[i].key);
        }
        task_done(task);
        free(r->account);
        free(r);
}

static bool is_under_way(const Domain *d) {
        const char *path;
        Task *t;

        MAP_FOREACH(d->manager->tasks, path, t)
                if (revocation_of(t) && str_equal(t->subject, DOMAIN_NAME(d)))
                        return true;
        return false;
}

/* --- What is live --- */

static EVP_PKEY *load_key(Domain *d, const KeySpec *spec, X509 *cert) {
        _auto_secret_ Secret *pem = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;

        if (store_domain_read_key(d->manager->store, STORE_SET_LIVE, DOMAIN_NAME(d), spec, &pem) != 0 ||
            key_from_pem(pem->data, pem->size, &key, NULL) < 0 || !cert_matches_key(cert, key))
                return NULL;
        return take_ptr(key);
}

static void collect(Domain *d, Revocation *r) {
        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);
                _auto_free_ char *pem = NULL;
                _auto_cert_chain_ CertChain chain = { 0 };
                X509 *cert;

                if (store_domain_read_chain(d->manager->store, STORE_SET_LIVE, DOMAIN_NAME(d), &spec, &pem) != 0 ||
                    cert_chain_from_pem(pem, strlen(pem), &chain, NULL) < 0)
                        continue;
                cert = chain.certs[0];
                if (X509_up_ref(cert) != 1)
                        continue;
                r->items[r->n++] = (RevocationItem){ cert, load_key(d, &spec, cert) };
        }
}

/* --- Beginning --- */

/* Certificates are revoked where they were ordered, whatever is configured by now. */
static const char *ca_of(const Domain *d) {
        if (d->job->live_ca_url)
                return d->job->live_ca_url;
        return d->config->ca_urls ? d->config->ca_urls[0] : MANAGED_DOMAIN_CA_URL_DEFAULT;
}

static int fill(Revocation *r, Domain *d, const RevocationWish *wish, Problem **ret_problem) {
        if (!str_is_empty(wish->reason)) {
                if (revocation_reason_from_string(wish->reason, &r->reason) < 0) {
                        _auto_free_ char *shown = str_printable(wish->reason, strlen(wish->reason), 64);

                        (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING,
                                           "'%s' is no reason; there are unspecified, keyCompromise, affiliationChanged, superseded and cessationOfOperation", str_or(shown, ""));
                        return -EINVAL;
                }
                r->has_reason = true;
        }
        collect(d, r);
        if (r->n == 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "%s has no certificate that could be revoked", DOMAIN_NAME(d));
                return -ENOENT;
        }
        if (!sign_url_is_valid(ca_of(d))) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "The certificate of %s is from %s, which revokes nothing; the account that ordered it is not ours", DOMAIN_NAME(d),
                                   ca_of(d));
                return -EOPNOTSUPP;
        }
        r->by_certificate_key = wish->by_certificate_key;
        r->reissue = wish->reissue;
        return str_replace(&r->account, d->job->live_account ? d->job->live_account : d->job->account);
}

int revocation_new(Domain *d, const RevocationWish *wish, Task **ret, Problem **ret_problem) {
        Revocation *r;
        int k;

        if (is_under_way(d)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_INTERNAL, "The certificates of %s are being revoked already", DOMAIN_NAME(d));
                return -EBUSY;
        }
        r = calloc(1, sizeof(*r));
        if (!r)
                return -ENOMEM;
        r->task.class = &revocation_class;
        r->task.manager = d->manager;
        k = fill(r, d, wish, ret_problem);
        if (k == 0)
                k = task_init(&r->task, d->manager, &revocation_class, DOMAIN_NAME(d), d->config, ca_of(d));
        if (k < 0) {
                release(&r->task);
                return k;
        }
        *ret = &r->task;
        return 0;
}

/* --- The conversation --- */

static int choose_account(Task *task, Problem **ret_problem) {
        Revocation *r = revocation_of(task);

        r->is_signed = false;
        if (!r->by_certificate_key && r->account && accounts_take(task, r->account, NULL) == 0) {
                task->registering = false;
                if (task->account->url && str_equal(task->account->ca_url, task->ca_url) && str_equal(task->account->status, "valid"))
                        return 0;
        }
        r->by_certificate_key = true;
        task->account = account_free(task->account);
        EVP_PKEY_free(take_ptr(task->account_key));
        if (r->items[r->current].key && jws_algorithm(r->items[r->current].key))
                return 0;
        (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Nothing is there that the CA could be shown: the account that ordered the certificate is not usable, and %s",
                           r->items[r->current].key ? "the certificate's key is of a kind that signs no requests to CAs" : "the certificate's key is missing or damaged");
        return -ENOKEY;
}

static int describe(Task *task, sd_bus_message *details) {
        return 0;
}

static int sign(Task *task, const char *kind, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        Revocation *r = revocation_of(task);
        RevocationItem *item = &r->items[r->current];
        JwsHeader header = { .url = url, .nonce = nonce };
        _auto_free_ char *payload = NULL;
        int k;

        if (!str_equal(kind, "revoke"))
                return sign_not_now(ret_problem, "this job is about something else");
        if (!task->binding.revoke_cert || !str_equal(url, task->binding.revoke_cert))
                return sign_not_now(ret_problem, "this is not the directory's URL for revocations");
        k = revocation_request(item->cert, r->has_reason ? &r->reason : NULL, &payload);
        if (k == 0)
                k = r->by_certificate_key ? jws_sign(item->key, &header, payload, ret_body) : sign_with_account(task, url, nonce, payload, ret_body);
        r->is_signed = r->is_signed || k == 0;
        return k;
}

/* --- The end of one, and of all --- */

/* Whatever the reason: with MDKeyReuse, nobody wants the next certificate to have its key. */
static void forget_key(const Revocation *r, const CertInfo *info) {
        Domain *d = manager_find_domain(r->task.manager, r->task.subject);

        if (!d || job_note_revoked_key(d->job, info->key_sha256) < 0)
                return;
        domain_save_job(d);
        renewal_drop_revoked_keys(d);
}

/* Nobody who wants others, or has them staged already, is to wait for them. Who wants none goes on with what there is. */
static void count_as_revoked(const Revocation *r, const CertInfo *info) {
        Domain *d = manager_find_domain(r->task.manager, r->task.subject);

        if (d && (r->reissue || d->job->phase == JOB_PHASE_STAGED) && job_note_revoked(d->job, info->sha256) == 0)
                domain_save_job(d);
}

/* Once more is no failure, and no news. */
static void tell_revoked_of(Domain *d, const CertInfo *info, const char *text) {
        if (job_is_revoked_told(d->job, info->sha256))
                return;
        event_tell(d, EVENT_REVOKED, NULL, "%s", text);
        if (job_note_revoked_told(d->job, info->sha256) < 0)
                (void) log_oom();
        domain_save_job(d);
        ocsp_note_told(d->manager->ocsp, info->ocsp_id);
}

static void tell_revoked(Revocation *r) {
        Domain *d = manager_find_domain(r->task.manager, r->task.subject);
        LogField fields[] = { { "MD_NAME", r->task.subject }, { "MD_CA", r->task.ca_url } };
        CertInfo info = { 0 };
        _auto_free_ char *text = NULL;

        if (cert_info_read(r->items[r->current].cert, &info) < 0)
                return;
        text = str_printf("Certificate %s was revoked%s", info.serial, r->by_certificate_key ? ", by its own key" : "");
        if (d && text)
                tell_revoked_of(d, &info, text);
        else
                log_full(LOG_NOTICE, 0, MESSAGE_REVOKED, fields, ELEMENTSOF(fields), "%s: %s.", r->task.subject, str_or(text, "A certificate was revoked"));
        count_as_revoked(r, &info);
        forget_key(r, &info);
        cert_info_done(&info);
}

/* The CA does not take the account's word: RFC 8555 section 7.6 lets the certificate's key speak for itself. */
static bool may_use_own_key(const Revocation *r, const Problem *p) {
        return !r->by_certificate_key && r->items[r->current].key &&
               (str_equal(p->type, PROBLEM_ACME_PREFIX "unauthorized") || str_equal(p->type, PROBLEM_ACME_PREFIX "accountDoesNotExist"));
}

static void on_close(Task *task, const Problem *problem) {
        Revocation *r = revocation_of(task);
        _auto_problem_ Problem *p = NULL;

        if (problem && may_use_own_key(r, problem)) {
                log_info("%s: %s does not take the account's word for it (%s); the certificate's own key is tried.", task->subject, task->ca_url, problem->detail);
                r->by_certificate_key = true;
                task_requeue(task);
                return;
        }
        if (!problem && !r->is_signed)
                p = problem_new(PROBLEM_TYPE_WORKER, "The worker ended without having asked for it");
        if (problem || p) {
                task_end(task, problem ? problem : p);
                return;
        }
        tell_revoked(r);
        if (++r->current < r->n)
                task_requeue(task);
        else
                task_end(task, NULL);
}

static void end(Task *task, const Problem *problem) {
        Revocation *r = revocation_of(task);
        Manager *m = task->manager;
        LogField fields[] = { { "MD_NAME", task->subject }, { "MD_CA", task->ca_url }, { "MD_PROBLEM", problem ? problem->type : NULL } };
        _auto_problem_ Problem *told = problem ? problem_copy(task->refusal ? task->refusal : problem) : NULL;
        _auto_free_ char *name = strdup(task->subject);
        bool reissue = r->reissue;
        Domain *d;

        if (told)
                log_full(LOG_WARNING, 0, NULL, fields, ELEMENTSOF(fields), "%s: Not revoked: %s", task->subject, told->detail);
        job_bus_ended(task, told);
        release(task);
        d = name ? manager_find_domain(m, name) : NULL;
        if (d && reissue && !told)
                (void) domain_renew(d, true);
        else if (d)
                domain_evaluate(d);
        manager_kick(m);
}

static const TaskClass revocation_class = {
        .kind = "revocation",
        .choose_account = choose_account,
        .describe = describe,
        .sign = sign,
        .close = on_close,
        .end = end,
        .release = release,
        .steps_max = 2,
};
