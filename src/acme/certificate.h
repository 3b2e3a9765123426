/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The certificate (RFC 8555 section 7.4.2): a chain in PEM. What is in it is for others to judge. */

#include "acme/client.h"

int acme_certificate_download(AcmeClient *c, const char *url, char **ret_pem, Problem **ret_problem);
