/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* URLs as a CA hands them out. They go into requests and into signatures byte for byte, so they are judged and never rewritten. */

#include "base/macro.h"

enum { ACME_URL_MAX = 2048 };

/* https with a host, at most ACME_URL_MAX bytes of what RFC 3986 allows in a URL, no user information, no fragment. NULL is not valid. */
bool acme_url_is_valid(const char *url) _pure_;

/* The host of a valid URL, with its port when it has one: "ca.example:14000". NULL: out of memory. */
char *acme_url_host(const char *url);
