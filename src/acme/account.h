/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The account at the CA (RFC 8555 section 7.3). */

#include "acme/client.h"

/* Makes the account of the signer's key, or finds it when the CA knows the key already, and tells the signer its URL. */
int acme_account_register(AcmeClient *c, const AcmeDirectory *directory, Problem **ret_problem);
