/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Certificates that answer tls-alpn-01. Their keys protect nothing, since whoever knows the key authorization could answer with any: one of each type is made
 * and serves all answers. */

#include "manager/renewal.h"

typedef struct AlpnKeys AlpnKeys;

AlpnKeys *alpn_keys_new(void); /* NULL: out of memory */
AlpnKeys *alpn_keys_free(AlpnKeys *k);

/* The type of key that has to be made before challenge_alpn_put() can do anything; false: all are there. */
bool challenge_alpn_wants_key(const Renewal *r, KeySpec *ret);
/* It was made. */
int challenge_alpn_take_key(Manager *m, EVP_PKEY *key);

/* One for each key spec of the domain. */
int challenge_alpn_put(Renewal *r, const char *name, const char *key_authorization);
