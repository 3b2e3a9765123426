/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The account of a task: chosen (manager/account-choice.h), kept as the CA tells about it, and brought up to what is configured. */

#include "manager/task.h"

/* Sets t->account, t->account_key and t->registering. The account has no URL when it must be registered, or looked for by its key.
 * A problem of the setting for external accounts is found here, before anybody is asked anything. On failure the task has what it had. */
int accounts_choose(Task *t, Problem **ret_problem);
/* The same for a task that is about this account. */
int accounts_take(Task *t, const char *id, Problem **ret_problem);

/* The CA made or found it. Durable when this returns. */
int accounts_created(Task *t, const char *url, Problem **ret_problem);

/* What a CA says of an account that it does not know, or that is none of its any more (RFC 8555 section 7.3.4 to 7.3.6). */
bool accounts_says_unknown(const Problem *p);
/* The CA does not know it any more, as the worker has it, whose word alone must not do harm that stays. The account is kept with status "unknown", and another
 * takes its place, which may have to be registered. When that does not succeed, the account is tried again; an update of it revives it; and only so many are
 * given up within a day. But first the next key, if there is doubt. */
int accounts_rejected(Task *t, Problem **ret_problem);

/* A task ended with this problem: a key that the CA was asked for, and does not know, is not tried again, unless there is doubt (manager/account-doubt.h). True: it
 * may be only that the CA knows another key by now, for which it is asked the next time. */
bool accounts_refused(Task *t, const Problem *problem);

/* The directory was read: terms of service that are not those agreed to are noted, for the next accounts_needs_update(). */
void accounts_note_terms(Task *t);

/* The CA should be told other contacts, or consent to terms of service that are new. */
bool accounts_needs_update(Task *t);
/* It was told what t->binding says. */
int accounts_updated(Task *t, Problem **ret_problem);
/* The CA did what was asked for in its name, whatever was said of it before. */
void accounts_found(Task *t);
int accounts_set_status(Task *t, const char *status, Problem **ret_problem);
/* The next key takes its place; takes 'next' when it succeeds. */
int accounts_change_key(Task *t, EVP_PKEY *next, Problem **ret_problem);

/* The contacts of all domains that share accounts with these settings at this CA, in one order, whoever asks. NULL: there are none. */
int accounts_wanted_contacts(Manager *m, const ManagedDomain *settings, const char *ca_url, char ***ret);
/* Whether these settings consent to terms of service. */
bool accounts_is_agreed(const ManagedDomain *settings);
