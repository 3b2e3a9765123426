/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Staying with a job of md-manager to its end. */

#include "base/json.h"
#include "mdctl/mdctl.h"

typedef struct JobWait {
        Mdctl *mdctl;
        char *job;       /* NULL: not known yet */
        char *activity;  /* what was shown last */
        JsonObject *end; /* JobRemoved of our job */
        bool shows_progress, lost, done;
} JobWait;

void job_wait_done(JobWait *w);

/* Before the job exists, so that nothing is missed; w->mdctl is set. This and all that follow give exit codes. */
int job_wait_subscribe(JobWait *w);
/* Takes the job's path from the answer that has nothing else. */
int job_wait_started(JobWait *w, sd_bus_message *reply);
/* Prints the path: for --no-wait. */
int job_wait_report_started(const JobWait *w);

/* 'doing': the sentence, without its full stop, for a terminal; 'lost': another one for the case that the manager goes away. */
int job_wait_run(JobWait *w, const char *doing, const char *lost);
bool job_wait_failed(const JobWait *w);
