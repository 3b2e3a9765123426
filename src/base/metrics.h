/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What monitoring is told, as OpenMetrics text: the same from the status pages and from mdctl, which have nothing in common but this floor. */

#include "base/macro.h"

typedef struct MetricsCertificate {
        const char *key; /* name of its key: "rsa", "secp384r1" */
        uint64_t from_usec, until_usec;
        const char *status;  /* whether it is revoked: "good", "revoked", "unknown"; NULL: nobody is asked */
        uint64_t status_until_usec, status_errors; /* until when that counts; attempts to ask that failed */
} MetricsCertificate;

/* Times that are 0 are not told. */
typedef struct MetricsDomain {
        const char *name;
        const char *state; /* "unknown", "incomplete", "complete", "error" */
        bool served;
        uint64_t errors;
        uint64_t next_usec, renew_at_usec, last_run_usec, installed_usec;
        uint64_t ari_start_usec, ari_end_usec; /* the CA's suggestion */
        const MetricsCertificate *certificates;
        size_t n_certificates;
} MetricsDomain;

/* A certificate that a server staples and no managed domain has. */
typedef struct MetricsStapling {
        const char *serial, *id; /* id: SHA-1 of the certificate */
        const char *status;
        uint64_t status_until_usec, status_errors;
} MetricsStapling;

typedef struct MetricsReload {
        const char *unit;
        uint64_t n_done, n_failed; /* since the manager's start */
} MetricsReload;

typedef struct Metrics {
        const char *version;
        const MetricsDomain *domains;
        size_t n_domains;
        const MetricsReload *reloads;
        size_t n_reloads;
        const MetricsStapling *others;
        size_t n_others; /* METRICS_OTHERS_MAX of them are written: the first, in the order of metrics_statuses */
} Metrics;

enum { METRICS_OTHERS_MAX = 1000 };

/* Of a certificate: "revoked", "unknown", "good"; the worst first. */
extern const char *const metrics_statuses[3];

#define METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

typedef void (*MetricsSink)(const char *text, void *userdata);

/* All of it, with the end mark. Values of labels may be any text. */
void metrics_write(const Metrics *m, MetricsSink sink, void *userdata);
