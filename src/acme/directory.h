/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The directory of a CA (RFC 8555 section 7.1.1): where everything is. */

#include "acme/signer.h"

enum { ACME_PROFILES_MAX = 64 };

/* Reads a directory; 'url' is where it came from, for the problem. Negative errno with *ret_problem: it is none that we can work with. */
int acme_directory_parse(const char *url, const char *data, size_t size, AcmeDirectory **ret, Problem **ret_problem);

AcmeDirectory *acme_directory_free(AcmeDirectory *d);
DEFINE_CLEANUP(AcmeDirectory *, acme_directory_free)
#define _auto_acme_directory_ _cleanup_(acme_directory_freep)
