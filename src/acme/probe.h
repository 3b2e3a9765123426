/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One plain GET to one address, as a CA would do it to see the answer to an http-01 challenge (RFC 8555 section 8.3): what is there, not
 * what it is worth. No redirection is followed, no certificate verified, no proxy asked. */

#include "base/macro.h"

enum {
        ACME_PROBE_BODY_MAX = 4096, /* the rest is not read: a key authorization is much shorter */
};

typedef struct AcmeProbe {
        const char *url;     /* http or https, with the name and the port that the CA would use */
        const char *address; /* connect here, whatever the name resolves to */
        uint16_t port;       /* and here, whatever the URL says */
        const char *user_agent;
        uint64_t timeout_usec;
} AcmeProbe;

typedef struct AcmeProbeAnswer {
        unsigned status;
        char *body; /* its beginning, followed by a NUL byte */
        size_t body_size;
        char *redirect;      /* absolute URL, printable; NULL: none */
        char *redirect_host; /* of an http or https URL; without brackets */
        char *redirect_path; /* … without a query */
        uint16_t redirect_port;
} AcmeProbeAnswer;

void acme_probe_answer_done(AcmeProbeAnswer *answer);

enum {
        ACME_PROBE_DONE,
        ACME_PROBE_E_NO_CONNECTION, /* nothing listens there, or is reached in time */
        ACME_PROBE_E_NO_ANSWER,     /* something listens that does not speak HTTP, or not in time, or TLS failed */
};

/* Fills a zeroed *ret. *ret_why is set with the outcomes: printable, for people. */
int acme_probe(const AcmeProbe *probe, AcmeProbeAnswer *ret, char **ret_why);
