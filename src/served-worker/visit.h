/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One TLS handshake with a listener of this machine, to see which certificate it shows: nothing is verified, and nothing is sent after it. It never waits: the
 * caller polls. */

#include "base/macro.h"

#define VISIT_FINGERPRINT_MAX 65

typedef struct Visit Visit;

/* 'kind': of the certificate's key that is asked for: "rsa", "ecdsa", "ed25519", "ed448". 'name': what is asked for; NULL: nothing. What
 * cannot be looked at comes out at the first step. -ENOMEM. */
int visit_new(const char *address, uint16_t port, const char *name, const char *kind, uint64_t deadline_usec, Visit **ret);
Visit *visit_free(Visit *v);
DEFINE_CLEANUP(Visit *, visit_free)

int visit_fd(const Visit *v); /* negative: there is nothing to wait for */
short visit_events(const Visit *v); /* what to poll for */
uint64_t visit_deadline_usec(const Visit *v);

typedef enum VisitOutcome {
        VISIT_UNDER_WAY,
        VISIT_SEEN,          /* visit_fingerprint() */
        VISIT_NO_CONNECTION, /* nothing listens there; visit_why() */
        VISIT_FAILED,        /* something does, and shows none; visit_why() */
} VisitOutcome;

/* Goes on. Also without an event, for the deadline's sake. */
VisitOutcome visit_step(Visit *v);
const char *visit_fingerprint(const Visit *v); /* SHA-256 of the certificate, lower-case hex */
const char *visit_why(const Visit *v);
