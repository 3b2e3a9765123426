/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The manager as a worker sees it that has one job of many pieces (org.mdmanager1.Worker, see org.mdmanager1(5)).
 *
 * Calls wait for their answers. After the first Open() everything is addressed to the very process that gave the job: one that comes after it knows nothing of us.
 * What fails is logged, and returned as a negative errno. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

typedef struct WorkerClient {
        sd_bus *bus;
        char *manager; /* its unique name; NULL: there is no job yet */
} WorkerClient;

/* Connects to the system bus, as 'program'. */
int worker_client_connect(WorkerClient *c, const char *program);
void worker_client_done(WorkerClient *c);

enum {
        WORKER_CLIENT_DONE,
        WORKER_CLIENT_E_NOTHING_TO_DO, /* the manager has no job for this unit */
};

/* *ret_job is the answer, with the job's details to be read. */
int worker_client_open(WorkerClient *c, sd_bus_message **ret_job);

/* Ends the job, which is done. */
int worker_client_close(WorkerClient *c);

int worker_client_new_call(WorkerClient *c, const char *member, sd_bus_message **ret);
int worker_client_call(WorkerClient *c, sd_bus_message *m, sd_bus_message **ret_reply);
