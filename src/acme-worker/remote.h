/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The manager as this process sees it (org.mdmanager1.Worker): a connection, and one job after the other on it.
 *
 * Calls wait for their answers; there is nothing else to do meanwhile. After the first Open() everything is addressed to the very process that gave
 * the job: one that comes after it knows nothing of us. */

#include "acme-worker/remote-job.h"
#include "base/clock.h"

#define REMOTE_CALL_TIMEOUT_USEC (90 * USEC_PER_SEC)

typedef struct Remote {
        sd_bus *bus;
        sd_bus_slot *watch; /* of the manager's name */
        char *manager;      /* the unique name of the process that gave the job; NULL: none yet */
        bool gone;          /* the manager or the bus is not there any more: nothing can be told then */

        /* of the job under way */
        char *domain;
        char *account_url; /* of the account that signs instead of the one in the job; NULL: none does */
        bool more;         /* another certificate of the domain is wanted after the one delivered last, with an order of its own */
        uint64_t set_up_usec; /* when the last challenge was set up; monotonic */
} Remote;

/* Connects to the system bus. */
int remote_new(Remote **ret);
Remote *remote_free(Remote *remote);
DEFINE_CLEANUP(Remote *, remote_free)

enum {
        REMOTE_DONE,
        REMOTE_E_NOTHING_TO_DO, /* the manager has no job for this unit */
};

/* Waits until the manager has a place for us. Negative errno with *ret_problem on failure. */
int remote_open(Remote *remote, RemoteJob **ret, Problem **ret_problem);

/* Ends the job; NULL: it is done. */
int remote_close(Remote *remote, const Problem *problem, Problem **ret_problem);

/* A call of a method of ours. 'what' goes in front of the reason for a failure: "Cannot sign a request". */
int remote_new_call(Remote *remote, const char *member, sd_bus_message **ret);
int remote_call(Remote *remote, sd_bus_message *m, uint64_t timeout_usec, const char *what, sd_bus_message **ret_reply, Problem **ret_problem);

/* Strings in, nothing out: most methods are like that. */
int remote_call_with_strings(Remote *remote, const char *member, const char *what, char *const *arguments, Problem **ret_problem);
#define STRINGS(...) ((char *const[]){ __VA_ARGS__, NULL })

/* Lets time pass; fails when the manager goes away meanwhile. 'userdata' is the remote. */
int remote_wait(void *userdata, uint64_t usec, Problem **ret_problem);
