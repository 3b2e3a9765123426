/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A CA that says what stands in a script, a signer that writes down what it is asked for, and a clock that only waiting moves. */

#include "acme/renewal.h"
#include "base/buffer.h"
#include "base/clock.h"

#define CA "https://ca.test/"
#define SCRIPT_START_USEC (UINT64_C(1700000000) * USEC_PER_SEC)

typedef struct ScriptLine {
        const char *request; /* "GET URL", "HEAD URL", "POST KIND URL" with a kind of the signer's */
        unsigned status;     /* 0: no connection */
        const char *head;    /* fields, one a line; a nonce is added to what is sent for HEAD and POST, unless it begins with "-" */
        const char *body;
        size_t body_size;    /* 0: the length of 'body' */
} ScriptLine;

typedef struct Script {
        const ScriptLine *lines;
        size_t n_lines, next;
        unsigned n_nonces;
        uint64_t elapsed_usec;
        uint64_t exchange_usec; /* what an exchange takes */

        /* what came of it */
        Buffer waits;   /* milliseconds, separated by blanks */
        Buffer nonces;  /* in the order of use, likewise */
        Buffer calls;   /* of the signer, one a line */
        Buffer accepts; /* Accept of each POST, one a line */
        Buffer activities; /* one a line */
        const char *last_ca_file, *last_proxy, *last_proxy_ca_file;
        uint64_t last_timeout_usec;

        const char *failing;        /* the callback that fails, by the first word that it writes down */
        const char *failing_setups; /* "http-01 dns-01:a.test": types of challenge, for all names or for one */
        const char *failing_checks; /* likewise */
        bool checking;              /* each challenge can be checked */
        bool other_account;         /* there is one instead of one that was rejected */
        unsigned orders_again;      /* so many orders that were refused are worth another one */
} Script;

void script_init(Script *s, const ScriptLine *lines, size_t n_lines);
void script_done(Script *s);
#define _auto_script_ _cleanup_(script_done)

AcmeTransport script_transport(Script *s);
AcmeSigner script_signer(Script *s);

/* The whole way with this script. 'renewal' may leave out the directory's URL, the user agent and the challenge types. */
int script_run(Script *s, AcmeRenewal renewal, Problem **ret_problem);

#define SCRIPT_DIRECTORY                                                                                                        \
        "{\"newNonce\": \"" CA "nonce\", \"newAccount\": \"" CA "new-account\", \"newOrder\": \"" CA "new-order\"}"
#define SCRIPT_ORDER(status, more)                                                                                              \
        "{\"status\": \"" status "\", \"finalize\": \"" CA "o/1/f\", \"authorizations\": [\"" CA "a/1\"]" more "}"
#define SCRIPT_AUTHZ_OF(name, number, status, challenge)                                                                                  \
        "{\"status\": \"" status "\", \"identifier\": {\"type\": \"dns\", \"value\": \"" name "\"}, \"challenges\": ["                  \
        "{\"type\": \"dns-01\", \"url\": \"" CA "c/" number "/dns\", \"token\": \"dns" number "\", \"status\": \"pending\"},"           \
        "{\"type\": \"http-01\", \"url\": \"" CA "c/" number "\", \"token\": \"tok" number "\", \"status\": \"" challenge "\"}]}"
#define SCRIPT_AUTHZ(status) SCRIPT_AUTHZ_OF("example.org", "1", status, "pending")
#define SCRIPT_PROBLEM(type, detail) "{\"type\": \"urn:ietf:params:acme:error:" type "\", \"detail\": \"" detail "\"}"
#define SCRIPT_CHAIN "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

#define PROBLEM_HEAD "Content-Type: application/problem+json; charset=utf-8"

#define SAY_DIRECTORY { "GET " CA "dir", 200, "", SCRIPT_DIRECTORY }
#define SAY_NONCE { "HEAD " CA "nonce", 200, "" }
#define SAY_ACCOUNT { "POST new-account " CA "new-account", 201, "Location: " CA "acct/1", "{\"status\": \"valid\"}" }
#define SAY_NEW_ORDER(status) { "POST new-order " CA "new-order", 201, "Location: " CA "o/1", SCRIPT_ORDER(status, "") }
#define SAY_POLL(status) { "POST post-as-get " CA "o/1", 200, "", SCRIPT_ORDER(status, "") }
#define SAY_VALID { "POST post-as-get " CA "o/1", 200, "", SCRIPT_ORDER("valid", ", \"certificate\": \"" CA "cert/1\"") }
#define SAY_AUTHZ(status) { "POST post-as-get " CA "a/1", 200, "", SCRIPT_AUTHZ(status) }
#define SAY_CHALLENGE { "POST challenge " CA "c/1", 200, "", "{\"status\": \"pending\"}" }
#define SAY_FINALIZE(status) { "POST finalize " CA "o/1/f", 200, "", SCRIPT_ORDER(status, "") }
#define SAY_CHAIN { "POST post-as-get " CA "cert/1", 200, "Content-Type: application/pem-certificate-chain; charset=utf-8", SCRIPT_CHAIN }
