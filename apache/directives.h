/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The directives, and what they said: collected while the configuration is read, and read-only from then on. Unset stays unset
 * here; which value is in force for a domain is decided in domains.c. All of it lives in the configuration's pool. */

#include "httpd.h" /* the others build on it */

#include "apr_hash.h"
#include "http_config.h"
#include "http_log.h"

#include "base/key-spec.h"
#include "domain/domain.h"
#include "domain/window.h"

/* "LogLevel md:info", in every file that logs. The one symbol that httpd sees. */
#pragma GCC visibility push(default)
APLOG_USE_MODULE(md);
#pragma GCC visibility pop

extern const command_rec directive_table[];

/* What can be set for one domain, for all of them, or (the contact) for a virtual host. */
typedef struct Settings {
        apr_array_header_t *ca_urls; /* of const char *; NULL: unset; empty: explicitly the default */
        const char *ca_file;         /* absolute; "": explicitly none; NULL: unset */
        const char *agreement;
        const char *contact;            /* a URI */
        apr_array_header_t *challenges; /* of const char *, lower case */
        const KeySpecs *keys;
        const RenewMode *renew_mode;
        const bool *transitive;
        Window renew_window, warn_window;
} Settings;

/* One MDomain or <MDomain>. */
typedef struct Definition {
        apr_array_header_t *names; /* of const char *, normalized, without duplicates, not yet checked */
        apr_hash_t *known;         /* the same names as keys */
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
        uint64_t retry_delay_usec;
        char **message_cmd;      /* a list as base/strv.h has it, in the pool; NULL: none */
        struct Domains *domains; /* domains.h: what came of it; NULL until the configuration has been checked */
} Configuration;

/* What one server_rec was told. Virtual hosts that say nothing share that of the base server. */
typedef struct ServerSettings {
        Settings settings;
        Definition *section; /* the <MDomain> that is being read just now */
        Configuration *configuration;
} ServerSettings;

void *directives_create_server_settings(apr_pool_t *p, server_rec *s);

const ServerSettings *server_settings(const server_rec *s);
Configuration *server_configuration(const server_rec *s);
