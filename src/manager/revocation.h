/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Has the CA revoke the live certificates of a domain, one after the other: by the account that ordered them, or by the key of the certificate itself
 * (RFC 8555 section 7.6). */

#include "manager/domain.h"
#include "manager/task.h"

typedef struct RevocationWish {
        const char *reason; /* NULL or "": none is told */
        bool by_certificate_key;
        bool reissue;       /* afterwards, a renewal is begun whatever is due */
} RevocationWish;

/* Queues it. With a problem: -EINVAL for a reason that is none, -ENOENT when there is no certificate, -EOPNOTSUPP when it is from something that revokes nothing, -EBUSY when one is under way. */
int revocation_new(Domain *d, const RevocationWish *wish, Task **ret, Problem **ret_problem);
