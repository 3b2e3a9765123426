/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What outlives a renewal: the transport with its connections, and a client for each CA. */

#include "acme/client.h"
#include "acme/renewal.h"

/* Takes the transport, also on failure. acme_session_new() does this with the real one. NULL: out of memory. */
AcmeSession *acme_session_new_with(const AcmeTransport *transport);

/* The client for this directory and trust. Borrowed. */
int acme_session_client(AcmeSession *s, const char *directory_url, const char *ca_file, AcmeClient **ret);
