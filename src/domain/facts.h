/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a decision may know about certificates: plain values, filled from crypto/cert.h by the program. */

#include "base/key-spec.h"

typedef struct CertFacts {
        char *spec;          /* key_spec_name() of the file it was read from */
        bool key_matches;    /* the private key beside it is there and belongs to it */
        KeyType key_type;    /* what the certificate's key really is */
        unsigned key_bits;
        char **names;        /* subjectAltName: dNSName in lower case, and addresses */
        char *issuer;        /* issuer's common name, for people */
        char *issuer_name;   /* the whole, as mod_md writes it: "/C=US/O=Let's Encrypt/CN=E5" */
        char *issuer_url;    /* where the issuer's certificate can be had; NULL: not said */
        char *ari_id;        /* RFC 9773 section 4.1; NULL: it can have none */
        char *serial;        /* hex */
        char *ocsp_id;       /* SHA-1 of the DER, lower-case hex: by which OCSP responses are kept; NULL: not known */
        char *ocsp_url, *crl_url; /* where it can be asked whether it is revoked: a responder, a list; NULL: nowhere */
        char *sha256;        /* fingerprint of the DER, lower-case hex */
        char *key_sha256;    /* of its public key; NULL: not known */
        uint64_t not_before_usec, not_after_usec;
        bool must_staple;
        uint64_t received_usec; /* when we made it live; 0: not known */
} CertFacts;

typedef struct CertFactsList {
        CertFacts *items; /* one for each key spec that has a readable certificate */
        size_t n;
} CertFactsList;

void cert_facts_done(CertFacts *f);
void cert_facts_list_done(CertFactsList *l);
int cert_facts_list_take(CertFactsList *l, CertFacts *f); /* moves *f into the list; -ENOMEM leaves it with the caller */
const CertFacts *cert_facts_find(const CertFactsList *l, const char *spec) _pure_;
