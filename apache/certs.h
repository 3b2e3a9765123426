/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Certificates and keys for the TLS module: the live set of a domain as far as it can be used, else a self-signed certificate,
 * on which the TLS module answers 503. Both hooks run as root in the parent, between the two post_config hooks; what they
 * record becomes 'served'. */

#include "httpd.h"

#include "directives.h"

int certs_add(server_rec *s, apr_pool_t *p, apr_array_header_t *cert_files, apr_array_header_t *key_files);
int certs_add_fallback(server_rec *s, apr_pool_t *p, apr_array_header_t *cert_files, apr_array_header_t *key_files);

/* Behind them: what stands in certificate files of the administrator's that no server with TLS uses. */
void certs_look_at_files(const Configuration *c);
