/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* public/NAME/pubcert[.SPEC].pem: copies of the chains that are live, for everybody on this machine to read, hooks above all. Made again from the live set when they
 * are missing or differ, so nothing here waits for the disk. Role MANAGER. */

#include "base/key-spec.h"
#include "store/store.h"

enum {
        STORE_PUBLIC_DONE,
        STORE_PUBLIC_UNCHANGED,
        STORE_PUBLIC_E_NOT_FOUND, /* no such live chain, or none that can be read: the copy is removed; or public/ is missing and cannot be made */
};

/* Has the copy be what is live. -EINVAL: no name. */
int store_public_update(Store *s, const char *name, const KeySpec *spec);
int store_public_remove(Store *s, const char *name); /* not found is done */
int store_public_list(Store *s, char ***ret_names); /* of the domains that have some, sorted */
