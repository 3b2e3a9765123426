/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A change of an account's key that was cut off: nobody knows whether the CA took the new key, and the request may be on its way still, and arrive after the CA said
 * that it does not know that key. So both keys are kept until that cannot be any more; the old one is used when the CA does not know the new one. */

#include "manager/account-bus.h"

/* The request was signed, and no answer came. */
void account_doubt_begin(Manager *m, const char *id);
/* At the start: whatever lies in accounts/ may have been cut off just now. */
void account_doubt_begin_all(Manager *m);

/* There is one key again, or time has passed. */
void account_doubt_end(ListedAccount *a);

/* The CA does not know the next key. True: not yet, it may be; both stay. */
bool account_doubt_deny(Manager *m, const char *id);
/* … and that was said before: the old key is used. */
bool account_doubt_is_denied(const Manager *m, const char *id);
/* The old key is of no use either, as it seems: the CA is asked for the next one again. True: there was doubt. */
bool account_doubt_retract(Manager *m, const char *id);
