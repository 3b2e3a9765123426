/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The certificates that a server wants to staple OCSP responses for, in its snapshot: "staplings": [{"id", "domain", "serial", "issuer", "url", "proxy-url",
 * "proxy-ca-certs", "must-staple"}], and "issuers": [PEM], each of which has many. Both are missing when there are none. */

#include "base/json.h"
#include "base/problem.h"

enum {
        SNAPSHOT_STAPLINGS_MAX = 100000,
        SNAPSHOT_ISSUERS_MAX = 10000,
        SNAPSHOT_ISSUER_SIZE_MAX = 64 * 1024,
        STAPLING_ID_LENGTH = 40,
};

typedef struct SnapshotStapling {
        char *id;     /* SHA-1 of the certificate in lower-case hex */
        char *domain; /* the managed domain that it belongs to; NULL: none */
        char *serial; /* hex */
        char *url;    /* of the responder */
        char *proxy_url, *proxy_ca_file; /* on the way there; NULL: none is configured */
        bool must_staple; /* it demands stapling */
        size_t issuer; /* place in 'issuers' */
} SnapshotStapling;

typedef struct SnapshotStaplings {
        SnapshotStapling *items;
        size_t n;
        char **issuers; /* PEM */
} SnapshotStaplings;

void snapshot_staplings_done(SnapshotStaplings *s);

/* Whether it can be the id of a certificate: it names files. */
bool stapling_id_is_valid(const char *id) _pure_;

/* Adds a copy; 'issuer' is PEM and kept once. */
int snapshot_staplings_add(SnapshotStaplings *s, const SnapshotStapling *stapling, const char *issuer);

int snapshot_staplings_to_json(const SnapshotStaplings *s, JsonObject *o);

/* -EBADMSG with a problem: they make no sense. */
int snapshot_staplings_from_json(JsonObject *o, SnapshotStaplings *ret, Problem **ret_problem);
