/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* URLs as a CA hands them out. They go into requests and into signatures byte for byte, so they are judged and never rewritten; only a relative
 * one is made whole. */

#include "base/macro.h"

enum { ACME_URL_MAX = 2048 };

/* https with a host, at most ACME_URL_MAX bytes of what RFC 3986 allows in a URL, no user information, no fragment. NULL is not valid. */
bool acme_url_is_valid(const char *url) _pure_;

/* What a reference means that stands in an answer from 'base', a valid URL (RFC 3986 section 5.2). The result is valid.
 * -EINVAL: it is no https URL of use. */
int acme_url_resolve(const char *base, const char *reference, char **ret);

/* The host of a valid URL, with its port when it has one: "ca.example:14000". NULL: out of memory. */
char *acme_url_host(const char *url);
