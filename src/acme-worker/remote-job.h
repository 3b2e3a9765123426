/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A job as the manager describes it. */

#include <systemd/sd-bus.h>

#include "acme/account.h"
#include "acme/renewal-info.h"
#include "acme/session.h"
#include "base/enum-table.h"

typedef enum RemoteJobKind {
        REMOTE_JOB_RENEWAL,
        REMOTE_JOB_RENEWAL_INFO,
        REMOTE_JOB_ACCOUNT,
        REMOTE_JOB_REVOCATION,
        _REMOTE_JOB_KIND_MAX,
} RemoteJobKind;

/* "renewal", "renewal-info", "account", "revocation" */
DECLARE_ENUM_TABLE(remote_job_kind, RemoteJobKind);

enum { REMOTE_CERTIFICATES_MAX = 10000 };

typedef struct RemoteJob {
        RemoteJobKind kind;
        char *domain;
        char *ca_url, *ca_file, *proxy, *proxy_ca_file, *user_agent, *account_url; /* "" or NULL where there is none */

        /* renewal */
        char *order_url; /* likewise */
        char **challenge_types;
        uint64_t step_timeout_usec; /* 0: not said */
        bool want_alternates, update_account;

        /* account */
        AcmeAccountOperation operation;

        /* renewal-info */
        AcmeCertificateId *certificates;
        size_t n_certificates;
} RemoteJob;

RemoteJob *remote_job_free(RemoteJob *job);
DEFINE_CLEANUP(RemoteJob *, remote_job_free)

/* Reads the answer of Open(). */
int remote_job_read(sd_bus_message *m, RemoteJob **ret);

/* Borrows from the job. */
AcmeCa remote_job_ca(const RemoteJob *job);

/* What is in a dictionary of a message, one entry after the other; what 'read' does not know it skips. */
int remote_read_dictionary(sd_bus_message *m, int (*read)(sd_bus_message *m, const char *key, void *userdata), void *userdata);
int remote_read_text(sd_bus_message *m, char **ret);
