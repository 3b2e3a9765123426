/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The manager as this process sees it: the jobs that it gives, and the keys that it signs with (org.mdmanager1.Worker).
 *
 * Calls wait for their answers; there is nothing else to do meanwhile. After Open() everything is addressed to the very process that gave the
 * job: one that comes after it knows nothing of us. */

#include "acme/renewal.h"

typedef struct Remote Remote;

/* Connects to the system bus. */
int remote_new(Remote **ret);
Remote *remote_free(Remote *remote);
DEFINE_CLEANUP(Remote *, remote_free)

/* True once the manager or the bus is not there any more: nothing can be told then. */
bool remote_is_gone(const Remote *remote) _pure_;

typedef struct RemoteJob {
        char *domain;
        char *ca_url, *ca_file, *user_agent, *account_url, *order_url; /* "" or NULL where there is none */
        char **challenge_types;
        uint64_t step_timeout_usec; /* 0: not said */
} RemoteJob;

RemoteJob *remote_job_free(RemoteJob *job);
DEFINE_CLEANUP(RemoteJob *, remote_job_free)

enum {
        REMOTE_DONE,
        REMOTE_E_NOTHING_TO_DO, /* the manager has no job for this unit */
};

/* Waits until the manager has a place for us. Negative errno with *ret_problem on failure. */
int remote_open(Remote *remote, RemoteJob **ret, Problem **ret_problem);

/* After a delivery: the domain has another key whose certificate is to be ordered, with an order of its own. */
bool remote_wants_more(const Remote *remote) _pure_;
/* The account that was registered in this job; NULL: none was. */
const char *remote_account(const Remote *remote) _pure_;

/* Ends the job; NULL: the certificate is delivered. */
int remote_close(Remote *remote, const Problem *problem, Problem **ret_problem);

/* Valid for as long as the remote. */
AcmeSigner remote_signer(Remote *remote);
