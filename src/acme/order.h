/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An order: the way of one certificate through the CA (RFC 8555 sections 7.1.3 and 7.4). */

#include "acme/client.h"
#include "base/enum-table.h"

enum { ACME_AUTHORIZATIONS_MAX = 1000 };

typedef enum AcmeOrderStatus {
        ACME_ORDER_PENDING,    /* the CA waits for proofs */
        ACME_ORDER_READY,      /* the CA waits for our CSR */
        ACME_ORDER_PROCESSING, /* we wait for the CA */
        ACME_ORDER_VALID,      /* the certificate is there */
        ACME_ORDER_INVALID,    /* over */
        _ACME_ORDER_STATUS_MAX,
} AcmeOrderStatus;

DECLARE_ENUM_TABLE(acme_order_status, AcmeOrderStatus);

typedef struct AcmeOrder {
        char *url;
        AcmeOrderStatus status;
        char *finalize;
        char *certificate; /* NULL: not there yet */
        char **authorizations;
        uint64_t expires_usec; /* 0: not said */
        Problem *error;        /* NULL: nothing was said */

        uint64_t retry_after_usec; /* how long the last answer about it asked us to wait; 0: it did not */
} AcmeOrder;

AcmeOrder *acme_order_free(AcmeOrder *o);
DEFINE_CLEANUP(AcmeOrder *, acme_order_free)
#define _auto_acme_order_ _cleanup_(acme_order_freep)

enum {
        ACME_ORDER_DONE,
        ACME_ORDER_E_GONE,             /* the CA does not know the order, or not as ours */
        ACME_ORDER_E_ACCOUNT_REJECTED, /* the CA does not know the account, or has done with it */
        ACME_ORDER_E_UNAUTHORIZED,     /* the CA does not let us in: because of the account, or because of the names */
        ACME_ORDER_E_REFUSED,          /* the CA does not make this order */
        ACME_ORDER_E_NOT_READY,        /* it was not time to finalize */
        ACME_ORDER_E_TIMEOUT,          /* the CA did not come to an end */
};
/* But for DONE and TIMEOUT, *ret_problem has the CA's words. */

/* DONE, ACCOUNT_REJECTED, UNAUTHORIZED or REFUSED. */
int acme_order_create(AcmeClient *c, const AcmeDirectory *directory, AcmeOrder **ret, Problem **ret_problem);

/* DONE, GONE or ACCOUNT_REJECTED: an order of an earlier run. */
int acme_order_resume(AcmeClient *c, const char *url, AcmeOrder **ret, Problem **ret_problem);

/* DONE or TIMEOUT. Looks again and again for as long as the status is in 'statuses' (a set of bits 1U << AcmeOrderStatus). Passing
 * troubles of the CA and of the network are waited out. On TIMEOUT *ret_problem may tell the last of them. */
int acme_order_wait_while(AcmeClient *c, AcmeOrder *o, unsigned statuses, uint64_t timeout_usec, Problem **ret_problem);

/* DONE, GONE or NOT_READY: sends the CSR. */
int acme_order_finalize(AcmeClient *c, AcmeOrder *o, Problem **ret_problem);

/* Looks at it once. DONE or GONE. */
int acme_order_refresh(AcmeClient *c, AcmeOrder *o, Problem **ret_problem);

/* Why an invalid order is invalid, as far as the order itself says. NULL: out of memory. */
Problem *acme_order_problem(const AcmeOrder *o);
