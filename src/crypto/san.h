/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The subjectAltName extension (RFC 5280 section 4.2.1.6): the names that a certificate, or a request for one, is about.
 *
 * What a certificate says comes from a CA that may be hostile. A dNSName that holds a NUL byte, a blank or anything else that is no
 * printable ASCII, or that looks like an IP address, is taken for an attack and not for a name. */

#include "base/problem.h"
#include "crypto/openssl-util.h"

enum {
        SAN_MAX = 10000,     /* names */
        SAN_NAME_MAX = 253,  /* bytes of one */
};

typedef struct SanList {
        char **names;    /* dNSName in lower case, addresses as text; NULL: none */
        size_t others;   /* how many names are of other kinds: mail addresses, URIs, … */
} SanList;

void san_list_done(SanList *l);
#define _auto_san_list_ _cleanup_(san_list_done)

/* A certificate without the extension gives an empty list. -EBADMSG: *ret_why (a static text) says what is wrong. */
int san_read(X509 *cert, SanList *ret, const char **ret_why);

/* The other way: names and IP addresses as text. -EINVAL with a problem: none, too many, or one that cannot stand in a
 * certificate. */
int san_make(char *const *names, GENERAL_NAMES **ret, Problem **ret_problem);

bool san_is_address(const char *name);
/* Lower-case copy; an IP address comes out in its one form. NULL: out of memory. */
char *san_normalize(const char *name);

/* The first name, when it can be a common name: no address, and shorter than 64 characters. Otherwise NULL. */
const char *san_common_name(char *const *names);
/* Sets it as the only part of the name. */
int san_set_common_name(X509_NAME *name, const char *common_name);
