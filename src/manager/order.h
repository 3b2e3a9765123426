/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a CA is asked for: identifiers, profile, which certificate the new one replaces (RFC 8555 section 7.4, RFC 8738, RFC 9773
 * section 5), and the request for the very same names. */

#include "crypto/openssl-util.h"
#include "domain/domain.h"

/* The names that are ordered: those that a wildcard of the same domain covers are not ordered twice. */
int order_names(const ManagedDomain *settings, char ***ret);

/* The profile as the CA spells it, one of those that its directory lists; *ret is borrowed, and NULL for the CA's own choice. -EINVAL with
 * a problem: the CA has no such profile, and the domain must have it. */
int order_profile(const ManagedDomain *settings, char *const *profiles, const char *ca_url, const char **ret, Problem **ret_problem);

/* Whether an order that was begun with those settings is one for these: the CA cannot be told another profile later. */
bool order_fits(const ManagedDomain *begun, const ManagedDomain *settings) _pure_;

/* The payload of new-order; 'profile' and 'replaces' may be NULL. */
int order_payload(char *const *names, const char *profile, const char *replaces, char **ret);

/* The payload of finalize. */
int order_request(EVP_PKEY *key, char *const *names, bool must_staple, char **ret, Problem **ret_problem);
