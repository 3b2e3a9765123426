/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One CA as we speak with it: its directory, the nonces that it gave us, and signed requests (RFC 8555 section 6).
 *
 * A client outlives a renewal; acme_client_begin() lends it a signer for one. */

#include "acme/signer.h"
#include "acme/transport.h"

enum {
        ACME_NONCES_MAX = 8,
        ACME_NONCE_LENGTH_MAX = 512,
        ACME_BAD_NONCE_RETRIES_MAX = 9,
};

#define ACME_EXCHANGE_TIMEOUT_USEC (2 * USEC_PER_MINUTE)
#define ACME_DIRECTORY_AGE_MAX_USEC USEC_PER_HOUR

/* Which CA, and how it is reached. NULL is as good as "". */
typedef struct AcmeCa {
        const char *directory_url;
        const char *ca_file;       /* PEM bundle that replaces the system's trust; NULL: the system's */
        const char *proxy;         /* URL of an http or https proxy, perhaps with user and password; NULL: what the environment says */
        const char *proxy_ca_file; /* as ca_file, for the certificate of an https proxy */
        const char *user_agent;
} AcmeCa;

typedef struct AcmeClient AcmeClient;

/* 'transport' must outlive the client. NULL: out of memory. */
AcmeClient *acme_client_new(const AcmeTransport *transport, const AcmeCa *ca);
AcmeClient *acme_client_free(AcmeClient *c);

void acme_client_begin(AcmeClient *c, const AcmeSigner *signer, const char *user_agent);
void acme_client_end(AcmeClient *c);

const AcmeSigner *acme_client_signer(const AcmeClient *c) _pure_;

/* Tells people what is being done; problems name it. */
void acme_client_set_activity(AcmeClient *c, const char *format, ...) _printf_(2, 3);
const char *acme_client_activity(const AcmeClient *c) _pure_; /* may be NULL */

uint64_t acme_client_monotonic_usec(const AcmeClient *c);
uint64_t acme_client_retry_after_usec(const AcmeClient *c, const AcmeAnswer *a); /* a length of time, 0: nothing said */
uint64_t acme_client_date_after_usec(const AcmeClient *c, uint64_t usec);        /* the wall clock in 'usec' from now */
int acme_client_wait(AcmeClient *c, uint64_t usec, Problem **ret_problem);

/* Fetches the directory unless a young one is at hand. Borrowed: valid until the next call. */
int acme_client_directory(AcmeClient *c, const AcmeDirectory **ret, Problem **ret_problem);

typedef struct AcmePost {
        AcmeRequestKind kind;
        const char *url;
        const char *accept;    /* NULL: JSON */
        uint64_t timeout_usec; /* 0: ACME_EXCHANGE_TIMEOUT_USEC */
} AcmePost;

enum {
        ACME_CLIENT_DONE,      /* status 2xx */
        ACME_CLIENT_E_REFUSED, /* the CA answered with an error: *ret_problem has its words */
};

/* One request that needs no signature: DONE or REFUSED. 'answer' is initialised here and the caller's to release, whatever comes out. */
int acme_client_get(AcmeClient *c, const char *url, AcmeAnswer *answer, Problem **ret_problem);

/* One signed request; 'answer' is initialised here and the caller's to release, whatever comes out. A nonce that the CA does not like is
 * replaced a few times; a server from before RFC 8555 that knows no POST-as-GET is asked with GET. Negative errno: *ret_problem says why there is no answer. */
int acme_client_post(AcmeClient *c, const AcmePost *post, AcmeAnswer *answer, Problem **ret_problem);

/* The JSON object in a good answer; 'what' is what it should be, for the problem: "an order". */
int acme_client_parse(const AcmePost *post, const AcmeAnswer *answer, const char *what, JsonObject **ret, Problem **ret_problem);

/* "The CA sent WHAT that is none: TEXT". Returns -EBADMSG. */
int acme_client_bad_answer(const char *url, const char *what, const char *why, Problem **ret_problem);
