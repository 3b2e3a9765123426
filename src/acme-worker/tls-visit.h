/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One TLS handshake with the protocol acme-tls/1, as a CA makes it for tls-alpn-01: nothing is verified, nothing is sent after it. */

#include <openssl/x509.h>

#include "base/macro.h"

enum {
        TLS_VISIT_DONE,
        TLS_VISIT_E_NO_CONNECTION, /* nothing listens there, or is reached in time */
        TLS_VISIT_E_FAILED,        /* something listens, but does not do this */
};

/* *ret_why is set with the outcomes: printable, for people. */
int tls_visit(const char *address, uint16_t port, const char *server_name, X509 **ret_certificate, char **ret_why);
