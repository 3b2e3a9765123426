/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/worker.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "acme-worker/remote.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"

static void tell(int priority, const RemoteJob *job, const Problem *problem, const char *text) {
        const LogField fields[] = {
                { "MD_NAME",    job->domain                    },
                { "MD_CA",      job->ca_url                    },
                { "MD_PROBLEM", problem ? problem->type : NULL },
        };

        (void) log_full(priority, 0, NULL, fields, ELEMENTSOF(fields), "%s: %s%s%s", job->domain, text, problem ? ": " : "",
                        problem ? problem->detail : "");
}

static int renew(Remote *remote, const RemoteJob *job, Problem **ret_problem) {
        _cleanup_(acme_session_freep) AcmeSession *session = NULL;
        AcmeRenewal renewal = {
                .directory_url = job->ca_url,
                .ca_file = job->ca_file,
                .user_agent = job->user_agent,
                .account_url = job->account_url,
                .order_url = job->order_url,
                .challenge_types = job->challenge_types,
                .step_timeout_usec = job->step_timeout_usec,
        };
        AcmeSigner signer = remote_signer(remote);

        int r;

        session = acme_session_new();
        if (!session)
                return -ENOMEM;
        do {
                r = acme_renewal_run(session, &renewal, &signer, ret_problem);
                renewal.order_url = NULL;
                if (remote_account(remote))
                        renewal.account_url = remote_account(remote);
        } while (r == 0 && remote_wants_more(remote));
        return r;
}

static int manager_is_gone(const RemoteJob *job, const Problem *problem) {
        tell(LOG_WARNING, job, problem, "The manager went away; the order can be resumed later");
        return EX_TEMPFAIL;
}

/* The manager decides what a failure means, and tells it to people: here it is one line. */
static int end(Remote *remote, const RemoteJob *job, const Problem *problem) {
        _auto_problem_ Problem *trouble = NULL;
        int r;

        r = remote_close(remote, problem, &trouble);
        if (remote_is_gone(remote))
                return manager_is_gone(job, trouble);
        if (r < 0) {
                tell(LOG_ERR, job, trouble, "Cannot end the job");
                return EXIT_FAILURE;
        }
        if (problem) {
                tell(LOG_NOTICE, job, problem, "No certificate this time");
                return EXIT_FAILURE;
        }
        tell(LOG_INFO, job, NULL, "The certificate is delivered");
        return EXIT_SUCCESS;
}

static int work(Remote *remote, const RemoteJob *job) {
        _auto_problem_ Problem *problem = NULL;
        int r;

        tell(LOG_INFO, job, NULL, "Asking the CA for a certificate");
        r = renew(remote, job, &problem);
        if (remote_is_gone(remote))
                return manager_is_gone(job, problem);
        if (r < 0 && !problem) {
                problem = problem_new(PROBLEM_TYPE_INTERNAL, "The worker failed: %s", strerror(-r));
                if (!problem) {
                        (void) log_oom();
                        return EXIT_FAILURE;
                }
        }
        return end(remote, job, problem);
}

static int cannot_start(const Remote *remote, int error, const Problem *problem) {
        log_error("There is no job from the manager: %s", problem ? problem->detail : strerror(-error));
        return !remote || remote_is_gone(remote) ? EX_TEMPFAIL : EXIT_FAILURE;
}

int worker_run(void) {
        _cleanup_(remote_freep) Remote *remote = NULL;
        _cleanup_(remote_job_freep) RemoteJob *job = NULL;
        _auto_problem_ Problem *problem = NULL;
        int r;

        r = remote_new(&remote);
        if (r == 0)
                r = remote_open(remote, &job, &problem);
        if (r == REMOTE_E_NOTHING_TO_DO) {
                log_info("Nothing is to be done.");
                return EXIT_SUCCESS;
        }
        if (r < 0)
                return cannot_start(remote, r, problem);
        return work(remote, job);
}
