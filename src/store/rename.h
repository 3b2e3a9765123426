/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A domain in the store gets another name: staging/, reserve/ and, last, domains/. What the machine leaves when it stops in between is a domain that still has
 * its old name, and a second call finishes it. What is in the archive keeps the name that it had. */

#include "store/store.h"

enum {
        STORE_RENAME_DONE,
        STORE_RENAME_E_NOT_FOUND, /* no domains/FROM, or it is no name */
        STORE_RENAME_E_EXISTS,    /* domains/TO is there; nothing was changed */
        STORE_RENAME_E_BUSY,      /* a server reads certificates just now; nothing was changed; try again in a moment */
};

/* Role MANAGER. The certificates are the same; md.json is still that of the old name, and is to be written anew. */
int store_rename(Store *s, const char *from, const char *to);
