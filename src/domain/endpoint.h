/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where a domain is served with TLS: "ADDRESS:PORT NAME", an IPv6 address in brackets; "*" stands for every address, port 0 for every port that is spoken TLS at.
 * The name is what the client asks for. Pure. */

#include "base/macro.h"

enum { ENDPOINT_ADDRESS_MAX = 46 };

typedef struct Endpoint {
        char address[ENDPOINT_ADDRESS_MAX]; /* "": every one */
        uint16_t port;                      /* 0: every one */
        const char *name;                   /* borrowed from the text */
} Endpoint;

/* False: it is none. */
bool endpoint_parse(const char *text, Endpoint *ret);
