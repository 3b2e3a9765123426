/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the ACME client asks of whoever holds the keys. The client is a transport and a state machine: it names the kind of a request,
 * the URL and the nonce, and gets the whole body to send. All callbacks return 0, or a negative errno together with *ret_problem. They may wait. */

#include "base/problem.h"
#include "base/strv.h"

typedef enum AcmeRequestKind {
        ACME_REQUEST_NEW_ACCOUNT,        /* RFC 8555 7.3 */
        ACME_REQUEST_ACCOUNT_UPDATE,     /* 7.3.2 */
        ACME_REQUEST_ACCOUNT_DEACTIVATE, /* 7.3.6 */
        ACME_REQUEST_KEY_CHANGE,         /* 7.3.5 */
        ACME_REQUEST_NEW_ORDER,          /* 7.4 */
        ACME_REQUEST_CHALLENGE,          /* 7.5.1: tell the CA to look */
        ACME_REQUEST_FINALIZE,           /* 7.4: with our CSR */
        ACME_REQUEST_REVOKE,             /* 7.6 */
        ACME_REQUEST_POST_AS_GET,        /* 6.3 */
        _ACME_REQUEST_KIND_MAX,
} AcmeRequestKind;

/* "new-account", "account-update", "account-deactivate", "key-change", "new-order", "challenge", "finalize", "revoke", "post-as-get": the words
 * of org.mdmanager1.Worker.Sign(). */
const char *acme_request_kind_to_string(AcmeRequestKind kind);
int acme_request_kind_from_string(const char *s, AcmeRequestKind *ret);

typedef struct AcmeDirectory {
        char *new_nonce, *new_account, *new_order;
        char *revoke_cert, *key_change, *renewal_info; /* may be NULL */
        char *terms_of_service;                        /* may be NULL */
        bool external_account_required;
        char **profiles;
} AcmeDirectory;

/* What can be tried of a challenge that is set up, before the CA is told of it. */
typedef struct AcmeChallengeCheck {
        char *type;         /* of challenge; NULL: there is nothing to try */
        char *expect;       /* what must be found: http-01 the key authorization, dns-01 the TXT value, tls-alpn-01 the SHA-256 digest in hex */
        char *record;       /* dns-01, dns-persist-01: the record's full name */
        char **issuers;     /* dns-persist-01: names of the CA, one of which the record must be for. 'expect' is then a record that does. */
        uint16_t port;      /* http-01, tls-alpn-01: where connections to the internet's port 80 or 443 arrive here */
        uint64_t wait_usec; /* dns-01: how long the record may take to become visible */
} AcmeChallengeCheck;

void acme_challenge_check_done(AcmeChallengeCheck *check);
#define _auto_acme_challenge_check_ _cleanup_(acme_challenge_check_done)

/* When the CA would like a certificate to be renewed. */
typedef struct AcmeRenewalInfo {
        uint64_t start_usec, end_usec; /* end is after start */
        uint64_t retry_after_usec;     /* how long to wait before it is asked again; 0: it did not say */
        char *explanation_url;         /* NULL: none */
} AcmeRenewalInfo;

enum {
        ACME_SIGNER_DONE,
        ACME_SIGNER_E_FAILED, /* this challenge cannot be used: *ret_problem says why. Another type may do. */
};

typedef struct AcmeSigner {
        void *userdata;

        /* The directory as fetched: binds the URLs that may be signed for. */
        int (*directory)(void *userdata, const AcmeDirectory *directory, Problem **ret_problem);

        /* The flattened JWS for this request. */
        int (*sign)(void *userdata, AcmeRequestKind kind, const char *url, const char *nonce, char **ret_body,
                    Problem **ret_problem);

        /* The CA made, or found, the account at this URL: kept before the client goes on. */
        int (*account_created)(void *userdata, const char *url, Problem **ret_problem);
        /* What became of a request about an account that was there before: "valid" or "deactivated". May be NULL. */
        int (*account_done)(void *userdata, const char *status, Problem **ret_problem);
        /* The CA does not know the account, or deactivated it. *ret_register: a new-account request is to be signed; false: meanwhile there is another account, which
         * signs from now on. */
        int (*account_rejected)(void *userdata, const Problem *why, bool *ret_register, Problem **ret_problem);

        /* The CA refused to make an order. *ret_again: another one can be signed, without what it did not like. May be NULL. */
        int (*order_refused)(void *userdata, const Problem *why, bool *ret_again, Problem **ret_problem);
        /* The order is there: kept before the client goes on. 'expires_usec' 0: not said. */
        int (*order_created)(void *userdata, const char *url, const char *finalize, char *const *authorizations,
                             uint64_t expires_usec, Problem **ret_problem);
        /* The order that was to be resumed is not usable any more. Afterwards one new-order request may be signed. */
        int (*order_gone)(void *userdata, const char *why, Problem **ret_problem);

        /* Puts the answer where the CA will look; returns when it is there. DONE or FAILED. */
        int (*set_up_challenge)(void *userdata, const char *identifier_type, const char *identifier, const char *type,
                                const char *token, const char *url, AcmeChallengeCheck *ret_check, Problem **ret_problem);
        /* The same for a challenge that is answered by a record which somebody published long ago (dns-persist-01): finds out what it must be.
         * 'account_uri' NULL: the account's URL. DONE or FAILED. NULL: such challenges are not used. */
        int (*set_up_persistent)(void *userdata, const char *identifier_type, const char *identifier, char *const *issuers,
                                 const char *account_uri, const char *url, AcmeChallengeCheck *ret_check, Problem **ret_problem);
        /* Tries what the CA will try. DONE (also: there was nothing to find out) or FAILED. NULL: nothing is tried. */
        int (*check_challenge)(void *userdata, const AcmeChallengeCheck *check, const char *identifier_type, const char *identifier,
                               const char *token, Problem **ret_problem);

        /* The chains in PEM as the CA sent them, its own choice first: one is verified and staged when this returns 0. */
        int (*deliver)(void *userdata, char *const *chains, Problem **ret_problem);

        /* What the CA says of a certificate's renewal (RFC 9773), or why it says nothing. NULL where it is not asked. */
        int (*renewal_info)(void *userdata, const char *token, const AcmeRenewalInfo *info, Problem **ret_problem);
        int (*renewal_info_failed)(void *userdata, const char *token, const Problem *why, uint64_t retry_after_usec, Problem **ret_problem);

        /* For people: what is being done. Must not fail. */
        void (*progress)(void *userdata, const char *activity);

        /* Lets the time pass while the CA works. A failure ends the run: whoever holds the keys may be gone. NULL: the client just sleeps. */
        int (*wait)(void *userdata, uint64_t usec, Problem **ret_problem);
} AcmeSigner;
