/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Staying with a renewal to its end, and telling how it ended. Exit codes. */

#include "mdctl/job-wait.h"

int renew_wait(JobWait *w, const char *name);
/* 'path' is the domain's. */
int renew_report(JobWait *w, const char *path);
