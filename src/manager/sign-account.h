/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The kinds of request that are about the account of a task. */

#include "manager/sign.h"

/* Body of a request with this payload, by the account's key: with "jwk" as long as the account has no URL. */
int sign_with_account(Task *t, const char *url, const char *nonce, const char *payload, char **ret_body);

/* "This is not the time": SIGN_E_NOT_NOW. */
int sign_not_now(Problem **ret_problem, const char *what);

int sign_new_account(Task *t, const char *url, const char *nonce, char **ret_body, Problem **ret_problem);
int sign_account_update(Task *t, const char *url, const char *nonce, char **ret_body, Problem **ret_problem);
int sign_account_deactivate(Task *t, const char *url, const char *nonce, char **ret_body, Problem **ret_problem);
int sign_key_change(Task *t, EVP_PKEY *next, const char *url, const char *nonce, char **ret_body, Problem **ret_problem);
/* A look at the account. */
int sign_account_look(Task *t, const char *url, const char *nonce, char **ret_body, Problem **ret_problem);
