/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Names of public CAs, as MDCertificateAuthority takes them instead of a URL. */

typedef struct CaName {
        const char *name;
        const char *url; /* NULL: it issues no certificates any more */
} CaName;

/* Case does not matter. NULL: not known. */
const CaName *ca_name_find(const char *name);

/* The names of those that issue certificates, for messages: "letsencrypt, zerossl, …". */
#define CA_NAMES_TEXT_MAX 512
const char *ca_names_text(char buffer[static CA_NAMES_TEXT_MAX]);
