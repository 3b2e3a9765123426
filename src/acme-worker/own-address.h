/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which addresses of a name are this machine's, so that a challenge can be tried here as the CA will try it.
 *
 * Names are looked up in the DNS, as a CA does, and not in /etc/hosts. */

#include "base/strv.h"

enum {
        OWN_ADDRESSES_MAX = 16, /* of a name; more are not looked at */
};

typedef struct OwnAddresses {
        char **own;    /* as text, IPv6 first, as CAs prefer it */
        bool all;      /* the name has no others */
        bool resolved; /* the name has any */
} OwnAddresses;

void own_addresses_done(OwnAddresses *a);
#define _auto_own_addresses_ _cleanup_(own_addresses_done)

/* An address is looked at as it is ('identifier_type' "ip"). 0 also when nothing is found. Fills a zeroed *ret. */
int own_addresses_find(const char *identifier_type, const char *name, OwnAddresses *ret);

/* Whether packets to this address stay on this machine. Asks the kernel by sockets that send nothing: netlink is closed to the worker. */
bool own_address_is_ours(const char *address);
