/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Kinds of request to header, payload and signature. A worker names a kind, a URL and a nonce; everything else is ours. */

#include "manager/sign-url.h"
#include "manager/task.h"

enum {
        SIGN_DONE,
        SIGN_E_NOT_NOW, /* the job is not at a point where this makes sense; *ret_problem says what is missing */
        SIGN_E_WAIT,    /* the key is still in the making */
        SIGN_E_REFUSED, /* the configuration forbids it: *ret_problem is for the administrator */
};

/* 'kind' as in acme/signer.h: "new-account", "new-order", "challenge", "finalize", "post-as-get", …. Which of them make sense is the class' matter. */
int sign_request(Task *t, const char *kind, const char *url, const char *nonce, char **ret_body, Problem **ret_problem);

/* The kinds of a renewal. */
int sign_for_renewal(Task *t, const char *kind, const char *url, const char *nonce, char **ret_body, Problem **ret_problem);
