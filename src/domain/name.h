/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* DNS names as certificates name them: lower-case letters, digits and inner hyphens in labels of at most 63, at most 253 in
 * all, no dot at the end (RFC 5890 A-labels pass); a wildcard has "*." in front and covers exactly one label (RFC 6125
 * 6.4.3). */

#include "base/macro.h"

bool domain_name_is_valid(const char *name) _pure_; /* also a wildcard; the last label is not all digits */
bool domain_name_is_wildcard(const char *name) _pure_;

/* An IP address in its one form (RFC 8738 section 3): dotted decimal, or RFC 5952. */
bool domain_name_is_address(const char *name) _pure_;
/* What a certificate can be for: a DNS name, a wildcard, or an address. */
bool domain_identifier_is_valid(const char *name) _pure_;

/* An address comes out in its one form. Otherwise: lower-case copy without the dot at the end. NULL: out of memory. The result need not be valid. */
char *domain_name_normalize(const char *name);

/* Whether 'pattern' (a name or a wildcard) covers 'name'; both normalized. A wildcard covers itself. */
bool domain_name_covers(const char *pattern, const char *name) _pure_;

/* Whether one of the patterns covers 'name'. */
bool domain_names_cover(char *const *patterns, const char *name) _pure_;

/* Looks for names that none of the patterns covers: how many, and the first one (borrowed; NULL when all are covered). Quick
 * also for thousands of both. */
int domain_names_uncovered(char *const *patterns, char *const *names, const char **ret_first, size_t *ret_count);

/* Copies those that no wildcard among them covers, in their order: a certificate need not name the others (RFC 6125 section 6.4.3). */
int domain_names_without_covered(char *const *names, char ***ret);
