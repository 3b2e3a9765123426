/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What has to be looked at to see that a domain's newest certificates are served: one target for each server, address, port, name and kind of key. Pure. */

#include "domain/facts.h"
#include "domain/snapshot.h"

typedef struct ServedTarget {
        uint64_t token;     /* the caller's */
        char **addresses;
        uint16_t port;
        char *name;         /* NULL: none can be asked for, it is an address */
        const char *kind;   /* of key: "rsa", "ecdsa", "ed25519", "ed448" */
        char **expected;    /* SHA-256 fingerprints */
        char *unit;         /* that the server runs in; NULL: none */
} ServedTarget;

typedef struct ServedTargets {
        ServedTarget *items;
        size_t n;
} ServedTargets;

void served_targets_done(ServedTargets *t);

/* Adds those of one server. None: nothing of it is to be seen. */
int served_targets_add(ServedTargets *t, const Snapshot *server, const ManagedDomain *view, const CertFactsList *live);
