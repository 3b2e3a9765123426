/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/worker.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "acme-worker/remote-signer.h"
#include "acme-worker/trace.h"
#include "acme/renewal.h"
#include "acme/revocation.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"

typedef struct Worker {
        Remote *remote;
        AcmeSession *session; /* what one job has learned of a CA serves the next */
} Worker;

static void worker_done(Worker *w) {
        acme_session_free(w->session);
        remote_free(w->remote);
}

/* What the kinds of jobs are for people. */
static const struct {
        const char *start, *success, *failure;
} words[] = {
        [REMOTE_JOB_RENEWAL] = { "Asking the CA for a certificate", "The certificate is delivered", "No certificate this time" },
        [REMOTE_JOB_RENEWAL_INFO] = { "Asking the CA when to renew", "The CA was asked when to renew", "The CA cannot be asked when to renew" },
        [REMOTE_JOB_ACCOUNT] = { "Asking the CA to change the account", "The account is changed", "The account is not changed" },
        [REMOTE_JOB_REVOCATION] = { "Asking the CA to revoke the certificate", "The certificate is revoked", "The certificate is not revoked" },
};

static void tell(int priority, const RemoteJob *job, const Problem *problem, const char *text) {
        const char *name = str_or(job->domain, str_or(job->ca_url, "?"));
        const LogField fields[] = {
                { "MD_NAME",    str_or(job->domain, NULL)      },
                { "MD_CA",      job->ca_url                    },
                { "MD_PROBLEM", problem ? problem->type : NULL },
        };

        (void) log_full(priority, 0, NULL, fields, ELEMENTSOF(fields), "%s: %s%s%s", name, text, problem ? ": " : "",
                        problem ? problem->detail : "");
}

static int renew(Worker *w, const RemoteJob *job, Problem **ret_problem) {
        AcmeRenewal renewal = {
                .ca = remote_job_ca(job),
                .account_url = job->account_url,
                .order_url = job->order_url,
                .challenge_types = job->challenge_types,
                .step_timeout_usec = job->step_timeout_usec,
                .want_alternates = job->want_alternates,
                .update_account = job->update_account,
        };
        AcmeSigner signer = remote_signer(w->remote);
        int r;

        do {
                r = acme_renewal_run(w->session, &renewal, &signer, ret_problem);
                renewal.order_url = NULL;
                renewal.update_account = false;
                if (w->remote->account_url)
                        renewal.account_url = w->remote->account_url;
        } while (r == 0 && w->remote->more);
        return r;
}

static int do_job(Worker *w, const RemoteJob *job, Problem **ret_problem) {
        AcmeSigner signer = remote_signer(w->remote);
        AcmeCa ca = remote_job_ca(job);

        if (!w->session)
                w->session = trace_session_new(w->remote);
        if (!w->session)
                return -ENOMEM;
        switch (job->kind) {
        case REMOTE_JOB_RENEWAL_INFO:
                return acme_renewal_info_run(w->session, &ca, job->certificates, job->n_certificates, &signer, ret_problem);
        case REMOTE_JOB_ACCOUNT:
                return acme_account_run(w->session, &ca, job->operation, job->account_url, &signer, ret_problem);
        case REMOTE_JOB_REVOCATION:
                return acme_revocation_run(w->session, &ca, &signer, ret_problem);
        default:
                return renew(w, job, ret_problem);
        }
}

static int manager_is_gone(const RemoteJob *job, const Problem *problem) {
        tell(LOG_WARNING, job, problem, "The manager went away; it will begin again, or go on, when it is back");
        return EX_TEMPFAIL;
}

/* A CA in maintenance is an everyday affair. */
static int priority_of(const Problem *problem) {
        return problem->status == 503 ? LOG_INFO : LOG_NOTICE;
}

/* The manager decides what a failure means, and tells it to people: here it is one line. */
static int end(Worker *w, const RemoteJob *job, const Problem *problem) {
        _auto_problem_ Problem *trouble = NULL;
        int r;

        r = remote_close(w->remote, problem, &trouble);
        if (w->remote->gone)
                return manager_is_gone(job, trouble);
        if (r < 0) {
                tell(LOG_ERR, job, trouble, "Cannot end the job");
                return EXIT_FAILURE;
        }
        if (problem) {
                tell(priority_of(problem), job, problem, words[job->kind].failure);
                return EXIT_FAILURE;
        }
        tell(LOG_INFO, job, NULL, words[job->kind].success);
        return EXIT_SUCCESS;
}

static int work(Worker *w, const RemoteJob *job) {
        _auto_problem_ Problem *problem = NULL;
        int r;

        tell(LOG_INFO, job, NULL, words[job->kind].start);
        r = do_job(w, job, &problem);
        if (w->remote->gone)
                return manager_is_gone(job, problem);
        if (r < 0 && !problem) {
                problem = problem_new(PROBLEM_TYPE_INTERNAL, "The worker failed: %s", strerror(-r));
                if (!problem) {
                        (void) log_oom();
                        return EXIT_FAILURE;
                }
        }
        return end(w, job, problem);
}

static int cannot_start(const Remote *remote, int error, const Problem *problem) {
        log_error("There is no job from the manager: %s", problem ? problem->detail : strerror(-error));
        return !remote || remote->gone ? EX_TEMPFAIL : EXIT_FAILURE;
}

enum { WORKER_E_LAST = 1 };

/* 0 or WORKER_E_LAST: *ret_status is the program's as far as this job goes. */
static int next(Worker *w, int *ret_status) {
        _cleanup_(remote_job_freep) RemoteJob *job = NULL;
        _auto_problem_ Problem *problem = NULL;
        int r;

        r = remote_open(w->remote, &job, &problem);
        if (r == REMOTE_E_NOTHING_TO_DO)
                return WORKER_E_LAST;
        if (r < 0) {
                *ret_status = cannot_start(w->remote, r, problem);
                return WORKER_E_LAST;
        }
        *ret_status = work(w, job);
        return w->remote->gone ? WORKER_E_LAST : 0;
}

int worker_run(bool batch) {
        _cleanup_(worker_done) Worker w = {};
        int r, status = EXIT_SUCCESS;
        size_t n = 0;

        r = remote_new(&w.remote);
        if (r < 0)
                return cannot_start(NULL, r, NULL);
        while (next(&w, &status) == 0) {
                n++;
                if (!batch)
                        return status;
                status = EXIT_SUCCESS;
        }
        if (n == 0 && status == EXIT_SUCCESS)
                log_info("Nothing is to be done.");
        return status;
}
