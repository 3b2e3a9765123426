/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The private keys of a renewal: one for each key spec, in staging before the CA sees anything made with it, so that an order can be resumed. A key is what
 * an earlier run left there, the live one (MDKeyReuse), the one made ahead (MDNextKey), or a new one, in this order. The key of a certificate that was
 * revoked is none of them. */

#include "manager/renewal.h"

/* It is in the queue: has those made that take seconds, so that they are there when it comes to its turn. */
void renewal_order_keys(Renewal *r);
/* Some of them are still in the making. */
bool renewal_waits_for_keys(const Renewal *r) _pure_;

/* It has a place. What has to be made and takes seconds comes later; a finalize waits for it. *ret_problem (may stay NULL): a key that cannot be made. */
int renewal_prepare_keys(Renewal *r, Problem **ret_problem);

/* The i-th key came from elsewhere: puts it into staging. */
int renewal_keep_key(Renewal *r, size_t i);

/* The key spec whose certificate is being ordered. */
KeySpec renewal_spec(const Renewal *r);
/* Its certificate is staged. True: another one is to be ordered now. */
bool renewal_next_spec(Renewal *r);

/* Some key was revoked: a renewal that is at work with it comes to its end. */
void renewal_drop_revoked_keys(Domain *d);
