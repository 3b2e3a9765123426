/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers to tls-alpn-01 (RFC 8737), as the manager laid them down: certificates that are shown in handshakes that offer "acme-tls/1"
 * for a name that is being proven just now. All other handshakes are none of ours. As the server's user in a child. */

#include "httpd.h"

/* Adds the hooks, those of the core and those of the TLS module. */
void alpn_register(apr_pool_t *p);
