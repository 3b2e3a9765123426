/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Contacts that a CA is told. A CA refuses the whole account when one is no good, so what cannot be one is found here. */

#include "apr_pools.h"

/* An address, with or without "mailto:" in front, as a URI: one '@' with something before it and a host behind it. Another URI
 * ("tel:…") stays as it is. NULL: neither. */
const char *contact_uri(apr_pool_t *p, const char *text);

/* The same for a text that need not be meant as a contact for anybody outside, as ServerAdmin: NULL also for URLs, and for hosts
 * that the internet does not know because there is no dot in them ("webmaster@localhost"). */
const char *contact_uri_of_admin(apr_pool_t *p, const char *text);
