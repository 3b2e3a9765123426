/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Certificates and chains in PEM, leaf first. */

#include "base/key-spec.h"
#include "base/problem.h"
#include "crypto/openssl-util.h"

enum {
        CERT_CHAIN_MAX = 16,                /* certificates in a chain */
        CERT_PEM_MAX = 1024 * 1024,         /* bytes */
};

typedef struct CertChain {
        X509 *certs[CERT_CHAIN_MAX]; /* owned; leaf first */
        size_t n;
} CertChain;

void cert_chain_done(CertChain *c);
#define _auto_cert_chain_ _cleanup_(cert_chain_done)

/* Reads PEM certificates; text between them is skipped, another PEM type, none at all, or too many is -EBADMSG with a problem. */
int cert_chain_from_pem(const char *pem, size_t size, CertChain *ret, Problem **ret_problem);
int cert_chain_to_pem(const CertChain *c, char **ret); /* the caller frees *ret */

/* The first certificate of a file that was written for a TLS server, as OpenSSL finds it for one: also behind or in front of a key and parameters, and as a
 * "TRUSTED CERTIFICATE". -EBADMSG with a problem: there is none, or it cannot be read. */
int cert_leaf_from_pem(const char *pem, size_t size, X509 **ret, Problem **ret_problem);

/* What can be read from a certificate, as plain values. */
typedef struct CertInfo {
        char **names;      /* subjectAltName: dNSName in lower case, IP addresses as text */
        char *issuer;      /* issuer's CN, or O, or the whole name; printable */
        char *subject;
        char *serial;      /* hex as mod_md: upper-case, as BN_bn2hex() */
        char *sha256;      /* lower-case hex */
        char *key_sha256;  /* of its public key, as key_public_sha256() */
        char *ari_id;      /* RFC 9773 section 4.1; NULL without authority key identifier */
        char *ocsp_id;     /* its SHA-1 in lower-case hex: see ocsp_certificate_id() */
        char *ocsp_url;    /* first one; NULL: none */
        char *crl_url;     /* where the list of all that its issuer revoked can be had, the first one by HTTP; NULL: none */
        char *issuer_name; /* the issuer's whole name: "/C=US/O=Let's Encrypt/CN=E5", all of it printable ASCII */
        char *issuer_url;  /* where the issuer's certificate can be had; NULL: it does not say */
        uint64_t not_before_usec, not_after_usec;
        KeyType key_type;  /* KEY_TYPE_DEFAULT: neither RSA nor EC */
        unsigned key_bits;
        bool must_staple;
} CertInfo;

/* -EBADMSG: a time, the serial number or an extension cannot be read, or a name in subjectAltName is no name (see crypto/san.h: a
 * NUL byte inside, …). Names of other kinds than dNSName and iPAddress are left out. */
int cert_info_read(X509 *cert, CertInfo *ret);
void cert_info_done(CertInfo *i);

int cert_sha256(X509 *cert, char **ret_hex);
bool cert_matches_key(X509 *cert, EVP_PKEY *key);

typedef struct CertExpectation {
        EVP_PKEY *key;       /* the leaf must belong to it */
        char *const *names;  /* all must be covered by subjectAltName, wildcards as RFC 6125; and the leaf names nothing else */
        uint64_t now_usec;   /* the leaf must not be expired, and begin no later than a day from now */
        bool must_staple;    /* when asked for, the leaf must have it */
} CertExpectation;

/* Whether a chain that a CA sent is what was ordered: leaf belongs to the key, has all names and no others, its dates make sense, it
 * is no CA, each certificate is signed by the next one. A leaf alone is a chain too: a private CA may issue from a root that its
 * clients have. Trust in the root is the browser's business. -EBADMSG with a problem (PROBLEM_TYPE_CHAIN) that says what is wrong,
 * naming the offending names. */
int cert_chain_verify(const CertChain *c, const CertExpectation *expected, Problem **ret_problem);

/* A self-signed certificate for 'names', for the time until the real one is there. The CN is 'common_name' or, when that is NULL or
 * has 64 characters or more, the first name, when that is shorter; otherwise there is none. -EINVAL: the names cannot stand in a
 * certificate, or it would end before it begins. */
int cert_make_self_signed(EVP_PKEY *key, const char *common_name, char *const *names, uint64_t not_before_usec,
                          uint64_t not_after_usec, X509 **ret);

/* Makes it the one for other names: with another serial number, and the same key, dates and subject. A third of the work of making one. -EINVAL as above;
 * after a failure the certificate is of no use. */
int cert_change_self_signed(X509 *cert, EVP_PKEY *key, char *const *names);

/* The self-signed certificate that answers tls-alpn-01 (RFC 8737 section 3, for addresses RFC 8738 section 6): 'identifier' alone in subjectAltName, and the
 * SHA-256 of the key authorization. -EINVAL as above. */
int cert_make_acme_tls(EVP_PKEY *key, const char *identifier, const char *key_authorization, uint64_t not_before_usec, uint64_t not_after_usec, X509 **ret);
