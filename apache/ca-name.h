/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Names of public CAs, as MDCertificateAuthority takes them instead of a URL, and what is known of them without asking. */

#include <stdbool.h>

#define CA_TAILSCALE_SOCKET "file://localhost/var/run/tailscale/tailscaled.sock"
#define CA_SOCKET_PREFIX "file://localhost/" /* a CA's place with MDCertificateProtocol tailscale */

typedef struct CaName {
        const char *name;
        const char *url;     /* NULL: it issues no certificates any more */
        bool wants_binding;  /* no account without MDExternalAccountBinding */
        bool is_letsencrypt; /* as its production or staging */
} CaName;

/* Case does not matter. NULL: not known. */
const CaName *ca_name_find(const char *name);
const CaName *ca_name_find_url(const char *url);

/* How many names the CA puts into a certificate of this profile (NULL: its default one); 0: not known. */
unsigned ca_names_max(const CaName *ca, const char *profile);

/* The names of those that issue certificates, for messages: "letsencrypt, zerossl, …". */
#define CA_NAMES_TEXT_MAX 512
const char *ca_names_text(char buffer[static CA_NAMES_TEXT_MAX]);
