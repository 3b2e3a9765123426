/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The directives, and what they said: collected while the configuration is read, and read-only from then on. Unset stays unset
 * here; which value is in force for a domain is decided in domains.c. All of it lives in the configuration's pool. */

#include "httpd.h" /* the others build on it */

#include "apr_hash.h"
#include "http_config.h"
#include "http_log.h"

#include "base/key-spec.h"
#include "domain/snapshot.h"
#include "domain/window.h"

/* "LogLevel md:info", in every file that logs. The one symbol that httpd sees. */
#pragma GCC visibility push(default)
APLOG_USE_MODULE(md);
#pragma GCC visibility pop

extern const command_rec directive_table[];

/* On or off, or nothing said. */
typedef enum Switch {
        SWITCH_UNSET,
        SWITCH_OFF,
        SWITCH_ON,
} Switch;

/* MDExternalAccountBinding. All NULL: explicitly none. */
typedef struct AccountBinding {
        const char *kid, *hmac;
        const char *credential; /* of md-manager.service */
} AccountBinding;

/* Two files that belong together. Both NULL: explicitly none. */
typedef struct FilePair {
        const char *cert_file, *key_file; /* absolute */
} FilePair;

/* What can be set for one domain, for all of them, or (contact and stapling) for a virtual host. Texts: NULL: unset; "": explicitly
 * none, or the default. */
typedef struct Settings {
        apr_array_header_t *ca_urls; /* of const char *; NULL: unset; empty: explicitly the default */
        const char *ca_file;         /* absolute */
        const char *protocol;        /* "tailscale"; "": ACME */
        const char *agreement;
        const char *profile;
        const char *preferred_chain;
        const AccountBinding *eab;
        const char *proxy_url;
        const char *proxy_ca_file;      /* absolute */
        const char *contact;            /* a URI */
        apr_array_header_t *challenges; /* of const char *, lower case */
        char *const *dns01_cmd;         /* a list as base/strv.h has it, in the pool; empty: none */
        const uint64_t *dns01_wait_usec;
        const KeySpecs *keys;
        apr_array_header_t *cert_files, *key_files; /* of const char *, absolute; inside <MDomain> only */
        const RenewMode *renew_mode;
        const RequireHttps *require_https;
        const char *hsts;         /* the value of Strict-Transport-Security */
        const FilePair *fallback; /* what is served until there is a certificate */
        Window renew_window, warn_window;
        Switch transitive;
        Switch profile_mandatory, challenge_check, key_reuse, next_key, must_staple, stapling, staple_others, ari, renew_on_ca_change;
} Settings;

/* One MDomain or <MDomain>. */
typedef struct Definition {
        apr_array_header_t *names; /* of const char *, normalized, without duplicates, not yet checked */
        apr_hash_t *known;         /* the same names as keys; NULL: they are few */
        Settings settings;
        const char *file;
        unsigned line;
} Definition;

struct Domains;

/* What belongs to the server as a whole, wherever it was written. One for each time that the configuration is read. */
typedef struct Configuration {
        server_rec *base;
        apr_array_header_t *definitions; /* of Definition * */
        const char *store_dir;           /* MDStoreDir, absolute; NULL: not given */
        const char *store_dir_place;     /* where it was given: "FILE:LINE" */
        uint16_t http_port, https_port;  /* MDPortMap; 0: unreachable */
        bool manage_base_server;
        bool match_server_names_only;
        bool strict;                     /* MDStrict: what concerns one domain refuses the whole configuration */
        uint64_t retry_delay_usec, initial_delay_usec, check_interval_usec, activation_delay_usec;
        unsigned retry_failover, dns01_version;
        Window staple_keep, staple_renew;   /* not set: the defaults */
        char **message_cmd, **notify_cmd;   /* lists as base/strv.h has them, in the pool; NULL: none */
        bool server_status;                 /* MDServerStatus */
        bool certificate_status;            /* MDCertificateStatus */
        const char *check_name, *check_url; /* MDCertificateCheck: a label, and what the fingerprint is put behind; never NULL */
        apr_hash_t *warned;                 /* what has been warned about, and will not be again */
        struct OcspStapling *ocsp; /* ocsp.c: what is stapled; NULL: nothing */
        struct Domains *domains; /* domains.h: what came of it; NULL until the configuration has been checked */
} Configuration;

/* What one server_rec was told. Virtual hosts that say nothing share that of the base server. */
typedef struct ServerSettings {
        Settings settings;
        Definition *section; /* the <MDomain> that is being read just now */
        bool ignored;        /* MDIgnoreHost: this virtual host has nothing to do with managed domains */
        Configuration *configuration;
} ServerSettings;

void *directives_create_server_settings(apr_pool_t *p, server_rec *s);

const ServerSettings *server_settings(const server_rec *s);
Configuration *server_configuration(const server_rec *s);

/* MDStapling and MDStapleOthers, as they are in force for a server: its own word, else that of the base server, else the default.
 * Whether a domain wants stapling is ManagedDomain.stapling. */
bool server_staples(const server_rec *s);
bool server_staples_others(const server_rec *s);
