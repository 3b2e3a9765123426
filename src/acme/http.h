/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The transport over HTTPS, by libcurl, which nobody but http.c sees.
 *
 * https only, TLS 1.2 or newer, HTTP/2 when the server offers it, no redirections, no cookies, no compression; connections are kept for the next
 * exchange that is to go the same way. */

#include "acme/transport.h"

/* Fills *ret; it is released through its own 'free'. Not thread-safe. */
int acme_http_new(AcmeTransport *ret);
