/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Apache's snapshot: what one server instance is configured to do and serves now. Written by its root parent, read by the manager
 * and the launcher.
 *
 * { "version": 1, "id", "module", "server", "unit", "store-dir", "port-map": {"http": 80, "https": 443}, "proto": {"http": true, "https": true},
 *   "listeners": [{"address", "port", "protocol"}], "retry-delay": "30s", "retry-failover": 13,
 *   "initial-delay": "10s", "check-interval": "12h", "activation-delay": "1d", "dns-01-version": 1, "staple-keep": "7d", "staple-renew": "33%", "message-cmd": ["/usr/bin/mail", …], "notify-cmd": […],
 *   "written": RFC 822 time, "managed-domains": [ … members of md.json and "used", "used-tls", "defined": {"file", "line"}, "refused", "endpoints": ["ADDRESS:PORT NAME", …], "file-certs": [ PEM, … ], "served": [ … ] ],
 *   "issuers", "staplings": see domain/snapshot-staple.h }
 *
 * A reader of version 1 refuses a later version; unknown members are ignored. "id" is for people: the file's name counts. */

#include "domain/domain.h"
#include "domain/snapshot-staple.h"

enum {
        SNAPSHOT_VERSION = 1,
        SNAPSHOT_SIZE_MAX = 64 * 1024 * 1024,
        SNAPSHOT_ID_MAX = 200,
        SNAPSHOT_DOMAINS_MAX = 100000,
        SNAPSHOT_LISTENERS_MAX = 10000,
        SNAPSHOT_COMMAND_MAX = 256,     /* words of a hook command */
        SNAPSHOT_COMPLAINTS_MAX = 100,  /* more are counted only */
};

/* When they are not set: MDRetryDelay, MDRetryFailover, MDCheckInterval, MDChallengeDns01Version. */
#define SNAPSHOT_RETRY_DELAY_USEC ((uint64_t) 30 * 1000000)
#define SNAPSHOT_RETRY_FAILOVER 13
#define SNAPSHOT_CHECK_INTERVAL_USEC ((uint64_t) 12 * 60 * 60 * 1000000)
#define SNAPSHOT_DNS01_VERSION 1

typedef struct SnapshotListener {
        char *address; /* NULL: every address */
        uint16_t port;
        char *protocol; /* the word of the Listen directive; NULL: none */
} SnapshotListener;

typedef struct Snapshot {
        char *id;        /* file name without ".json": letters, digits, "-_.@\", at most 200, no dot in front */
        char *module;    /* version of the module; NULL: was not told */
        char *server;    /* "Apache/2.4.65 (Debian)"; NULL: was not told */
        char *unit;      /* the systemd unit that the server runs in; NULL: none */
        char *store_dir; /* never NULL once a snapshot was read */
        uint16_t http_port, https_port; /* MDPortMap: the local ports where 80 and 443 arrive; 0: unreachable */
        bool http_reachable, https_reachable; /* some listener is there */
        SnapshotListener *listeners;
        size_t n_listeners;
        uint64_t retry_delay_usec;      /* MDRetryDelay */
        unsigned retry_failover;        /* MDRetryFailover: failures at one CA before the next is tried */
        uint64_t initial_delay_usec;    /* MDInitialDelay */
        uint64_t check_interval_usec;   /* MDCheckInterval */
        uint64_t activation_delay_usec; /* MDActivationDelay */
        unsigned dns01_version;         /* MDChallengeDns01Version: with 2 the teardown gets the value, too */
        Window staple_keep;             /* MDStaplingKeepResponse; percent is of 7 days */
        Window staple_renew;            /* MDStaplingRenewWindow */
        char **message_cmd, **notify_cmd; /* hook commands with their first arguments; NULL: none */
        uint64_t written_usec;
        ManagedDomain **domains;
        size_t n_domains;
        SnapshotStaplings staplings;
} Snapshot;

Snapshot *snapshot_new(const char *id); /* with the defaults of the directives; NULL: out of memory */
Snapshot *snapshot_free(Snapshot *s);
DEFINE_CLEANUP(Snapshot *, snapshot_free)

bool snapshot_id_is_valid(const char *id) _pure_;
int snapshot_add_domain(Snapshot *s, ManagedDomain *d);                       /* takes it, also on failure */
int snapshot_add_listener(Snapshot *s, const char *address, uint16_t port, const char *protocol);

/* The text, without "written": equal snapshots give equal texts, so that the writer can compare. Domains come sorted by
 * name. NULL: out of memory. */
char *snapshot_format(const Snapshot *s);
/* The text for the disk: the same with the line "written" from written_usec (0: none). */
char *snapshot_format_written(const Snapshot *s);

/* Whether 'text', as read from disk, is what snapshot_format_written() gives now, whatever the time in it. Also false when
 * out of memory: writing once too often does no harm. */
bool snapshot_text_is_current(const char *text, size_t size, const Snapshot *s);

enum {
        SNAPSHOT_DONE,
        SNAPSHOT_E_REFUSED, /* *ret_problem says why, naming the place: not JSON, later version, a member of the wrong type, … */
};

/* Reads a whole snapshot. One domain that cannot be read does not spoil the others: it is left out, and *ret_complaints (a
 * list of texts; the caller frees it) says why. */
int snapshot_parse(const char *id, const char *data, size_t size, Snapshot **ret, char ***ret_complaints, Problem **ret_problem);

/* Whether two snapshots say the same of the server itself; domains and the time of writing aside. */
bool snapshot_server_equal(const Snapshot *a, const Snapshot *b) _pure_;
