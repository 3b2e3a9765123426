/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What was read from elsewhere (manager/import.h) comes into the store. Nothing that is newer is replaced; what is replaced goes to the archive, from where
 * it can be put back. */

#include "manager/domain.h"
#include "manager/import.h"

typedef enum ImportResult {
        IMPORT_TAKEN,    /* or would be, in a dry run */
        IMPORT_PRESENT,  /* it is here already, or something newer */
        IMPORT_LEFT_OUT, /* it is of no use */
        IMPORT_REFUSED,  /* something is wrong with it */
        _IMPORT_RESULT_MAX,
} ImportResult;

typedef struct ImportReport {
        ImportResult result;
        char *target;          /* the account's id, or the domain's name; NULL: none */
        char **remarks;
        char **configuration;  /* lines for Apache's configuration; NULL: it has them already */
} ImportReport;

void import_report_done(ImportReport *r);
#define _auto_import_report_ _cleanup_(import_report_done)

const char *import_result_to_string(ImportResult r); /* "taken", "present", "left-out", "refused" */

/* -EBUSY with a problem: try again in a moment. Other errors: with a problem, too. */
int import_apply_account(Manager *m, ImportAccount *a, bool dry_run, ImportReport *report, Problem **ret_problem);
int import_apply_certificate(Manager *m, ImportCertificate *c, bool dry_run, ImportReport *report, Problem **ret_problem);
/* An earlier set: it is added to the archive, when it can still be put back. */
int import_apply_archived(Manager *m, ImportCertificate *c, bool dry_run, ImportReport *report, Problem **ret_problem);
