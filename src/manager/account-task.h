/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What people have done to an account at a CA, and what a change of its key leaves to be done. */

#include "manager/task.h"

typedef enum AccountOperation {
        ACCOUNT_REGISTER,
        ACCOUNT_UPDATE,     /* or, without a URL or with a next key: a look for it by its key */
        ACCOUNT_KEY_CHANGE,
        ACCOUNT_DEACTIVATE,
        _ACCOUNT_OPERATION_MAX,
} AccountOperation;

/* Queues it. -EINVAL with a problem: the account is of no use any more; -EBUSY with a problem: it has a job. */
int account_task_new(Manager *m, const Account *account, AccountOperation operation, Task **ret, Problem **ret_problem);

/* Queues a registration. Contacts and consent come on top of what a domain says that is configured for this CA. -EINVAL, -EEXIST with a problem. */
int account_task_register(Manager *m, const char *ca_url, char *const *contacts, bool agreed, Task **ret, Problem **ret_problem);

/* The job about this account that is queued or running; NULL: none. */
const Task *account_task_find(const Manager *m, const char *id);

/* Changes of keys that were cut off are looked into. */
void account_task_recover(Manager *m);
