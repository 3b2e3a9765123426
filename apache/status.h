/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The status pages: handler "md-status", /.httpd/certificate-status, and what is added to mod_status's page. All of it runs in a child and shows
 * what the manager wrote into the store. */

#include "httpd.h" /* the others build on it */

#include "domain/domain.h"

/* post_read_request: /.httpd/certificate-status on the hosts of managed domains. */
int status_certificate(request_rec *r);
/* handler */
int status_handler(request_rec *r);
/* In the hooks of others. */
void status_register(apr_pool_t *p);

/* The faces of "md-status": one for each file. Each writes a whole response and gives what a handler gives. 'd' NULL: all domains. */
int status_json(request_rec *r, const ManagedDomain *d);
int status_page(request_rec *r, const ManagedDomain *d);
int status_metrics(request_rec *r, const ManagedDomain *d);

/* mod_status's hook (status-server.c). */
int status_server(request_rec *r, int flags);
