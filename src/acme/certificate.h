/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The certificate (RFC 8555 section 7.4.2): chains in PEM. What is in them is for others to judge. */

#include "acme/client.h"

enum {
        ACME_ALTERNATES_MAX = 15,
        ACME_CHAIN_LENGTH_MAX = 10, /* of a certificate that comes without them */
};

/* A certificate that comes alone gets the issuers that the CA names by links (rel="up").
 *
 * The chain that the CA chose, and after it the alternates that it offers when they are wanted. One of these that cannot be had is left out. */
int acme_certificate_download(AcmeClient *c, const char *url, bool want_alternates, char ***ret_chains, Problem **ret_problem);
