/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* fallback/NAME/: self-signed certificates that Apache's root parent makes and serves until the first real one is there. Role SERVER. */

#include "base/key-spec.h"
#include "base/secret.h"
#include "store/store.h"

enum {
        STORE_FALLBACK_DONE,
        STORE_FALLBACK_E_NOT_FOUND,
};

/* A certificate that is there fits its key, unless the machine crashed before the disk had them both: nobody waits for that, because they can be
 * made again. */
int store_fallback_write(Store *s, const char *name, const KeySpec *spec, const Secret *key_pem, const char *cert_pem);
/* Removes what was made before that time: it has run out, and who wants it makes it again. */
int store_fallback_prune(Store *s, uint64_t before_usec);
/* Absolute paths of key and certificate, for the TLS module; a result that is not wanted may be NULL. -EINVAL: no valid name. */
int store_fallback_paths(Store *s, const char *name, const KeySpec *spec, char **ret_key, char **ret_cert);
/* The same for the live set in domains/, and for its copy in reserve/. */
int store_reserve_paths(Store *s, const char *name, const KeySpec *spec, char **ret_key, char **ret_cert);
int store_live_paths(Store *s, const char *name, const KeySpec *spec, char **ret_key, char **ret_cert);
