/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Files with an external account binding (RFC 8555 section 7.3.4), as CAs hand them out: {"kid": "…", "hmac": "…"}. */

#include "apr_pools.h"

/* NULL, or what is wrong with the file, with its name. *ret_open_to_all: users other than its owner and group may read it. */
const char *account_binding_read(apr_pool_t *p, const char *path, const char **ret_kid, const char **ret_hmac, int *ret_open_to_all);
