/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the client needs of the world: one exchange at a time, and the passing of time. http.c is the real one; the unit tests bring a
 * scripted one. */

#include "acme/answer.h"
#include "base/problem.h"

typedef enum AcmeMethod {
        ACME_METHOD_GET,
        ACME_METHOD_HEAD,
        ACME_METHOD_POST,
} AcmeMethod;

typedef struct AcmeRequest {
        AcmeMethod method;
        const char *url;
        const char *accept;       /* NULL: anything */
        const char *content_type; /* of the body */
        const char *body;         /* POST */
        const char *ca_file;      /* NULL: the system's trust */
        const char *proxy;        /* URL; NULL: what the environment says */
        const char *proxy_ca_file; /* NULL: the system's trust */
        const char *user_agent;
        uint64_t timeout_usec; /* for the whole exchange */
} AcmeRequest;

typedef struct AcmeTransport {
        void *userdata;

        /* Fills an initialised answer. 0: there is one, whatever its status. Negative errno: *ret_problem says what went wrong. */
        int (*exchange)(void *userdata, const AcmeRequest *request, AcmeAnswer *answer, Problem **ret_problem);

        void (*wait)(void *userdata, uint64_t usec);
        uint64_t (*monotonic_usec)(void *userdata);
        uint64_t (*now_usec)(void *userdata);

        void (*free)(void *userdata); /* may be NULL */
} AcmeTransport;
