/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Domains against virtual hosts: which domain's certificate a host gets, and which names of hosts join a certificate. Knows nothing
 * of httpd but its pools. All of it takes time in proportion to the number of names; no names are compared pairwise. */

#include "apr_pools.h"
#include "apr_tables.h"

#include "domain/domain.h"

typedef struct Matching Matching;

typedef enum MatchMode {
        MATCH_ALL,          /* ServerName, ServerAlias and the addresses as they were written; domains must not overlap */
        MATCH_SERVER_NAMES, /* ServerName only; domains may overlap, an exact name beats a wildcard */
} MatchMode;

/* A virtual host, or the server outside of them. All names in lower case. */
typedef struct MatchHost {
        void *server;                  /* the caller's */
        const char *name;              /* ServerName, or what httpd made up */
        apr_array_header_t *aliases;   /* of const char *: ServerAlias without wildcards */
        apr_array_header_t *patterns;  /* of const char *: ServerAlias with '*' or '?' */
        apr_array_header_t *addresses; /* of const char *: what stands in <VirtualHost …> */
        const char *where;             /* for messages: "virtual host www.example.org (/etc/…:17)" */
        const char *place; /* the same in short: "/etc/…:17", or "the base server" */
        bool tls;
        bool acme_tls;        /* the protocol acme-tls/1 is among its Protocols */
        bool https_port_only; /* all its addresses are at the port where the internet's port 443 arrives */
        bool unnamed; /* without ServerName: 'name' is the base server's or was guessed */

        /* The answers */
        apr_array_header_t *domains; /* of ManagedDomain *: all whose names it serves */
        int n_named;                 /* so many of them, in front, are named by it; the others are only met by a pattern */
        /* The one whose certificate it gets; NULL: none. One that was refused only if there is no other: what it has goes on
         * being served. */
        ManagedDomain *domain;
} MatchHost;

/* What an administrator should know. */
typedef enum MatchNoteKind {
        MATCH_NOTE_REFUSED, /* the domain was disabled */
        MATCH_NOTE_WARNING,
        MATCH_NOTE_INFO,
} MatchNoteKind;

typedef struct MatchNote {
        const ManagedDomain *domain;
        MatchNoteKind kind;
        const char *text;
} MatchNote;

/* Matches 'hosts' (of MatchHost *) and 'domains' (of ManagedDomain *, in the order of the configuration; they stay the caller's).
 * Sets the answers of hosts; 'used', 'used_tls', 'refused', 'names', 'hosts', 'origins' and 'acme_tls_names' of domains. -ENOMEM
 * only. */
int matching_new(apr_pool_t *p, MatchMode mode, apr_array_header_t *domains, apr_array_header_t *hosts, Matching **ret);

/* The TLS module asked for certificates of a host that was not known to have TLS. */
int matching_set_tls(Matching *m, MatchHost *host);

/* The domain that certifies exactly this name, a refused one only if there is no other; NULL: none. */
ManagedDomain *matching_find(const Matching *m, const char *name);

const apr_array_header_t *matching_notes(const Matching *m); /* of MatchNote */
