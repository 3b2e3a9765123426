/* SPDX-License-Identifier: Apache-2.0 */
#include "issue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encoding.h"
#include "crypto/san.h"

static void need(bool held, const char *what) {
        if (held)
                return;
        fprintf(stderr, "Cannot make a certificate: %s\n", what);
        exit(EXIT_FAILURE);
}

EVP_PKEY *issue_key(void) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

        need(key, "key");
        return key;
}

EVP_PKEY *issue_rsa_key(void) {
        static EVP_PKEY *key;

        if (!key)
                key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 2048);
        need(key && EVP_PKEY_up_ref(key) == 1, "RSA key");
        return key;
}

void issue_add_der(X509 *cert, int nid, const void *der, size_t size) {
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        X509_EXTENSION *e;

        need(value && ASN1_OCTET_STRING_set(value, der, (int) size) == 1, "extension value");
        e = X509_EXTENSION_create_by_NID(NULL, nid, 0, value);
        need(e && X509_add_ext(cert, e, -1) == 1, "extension");
        X509_EXTENSION_free(e);
        ASN1_OCTET_STRING_free(value);
}

void issue_add_dns(GENERAL_NAMES *san, const void *bytes, size_t size) {
        GENERAL_NAME *g = GENERAL_NAME_new();
        ASN1_IA5STRING *s = ASN1_IA5STRING_new();

        need(g && s && ASN1_STRING_set(s, bytes, (int) size) == 1, "name");
        GENERAL_NAME_set0_value(g, GEN_DNS, s);
        need(sk_GENERAL_NAME_push(san, g) > 0, "list of names");
}

static void add_san(X509 *cert, const Issue *i) {
        GENERAL_NAMES *san = NULL;

        if (i->names)
                need(san_make(i->names, &san, NULL) == 0, "names");
        if (san || i->san)
                need(X509_add1_ext_i2d(cert, NID_subject_alt_name, i->san ? i->san : san, 0, X509V3_ADD_DEFAULT) == 1,
                     "subjectAltName");
        GENERAL_NAMES_free(san);
}

static void add_config(X509 *cert, int nid, const char *value) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

        need(e && X509_add_ext(cert, e, -1) == 1, value);
        X509_EXTENSION_free(e);
}

static void add_key_id(X509 *cert, const char *hex) {
        AUTHORITY_KEYID *akid = AUTHORITY_KEYID_new();
        void *data;
        size_t n;

        need(hex_decode(hex, &data, &n) == 0, "key identifier");
        akid->keyid = ASN1_OCTET_STRING_new();
        need(ASN1_OCTET_STRING_set(akid->keyid, data, (int) n) == 1, "key identifier");
        need(X509_add1_ext_i2d(cert, NID_authority_key_identifier, akid, 0, X509V3_ADD_DEFAULT) == 1, "key identifier");
        AUTHORITY_KEYID_free(akid);
        free(data);
}

static void add_extensions(X509 *cert, const Issue *i) {
        char access[256];

        add_config(cert, NID_basic_constraints, i->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
        add_san(cert, i);
        if (i->key_id_hex)
                add_key_id(cert, i->key_id_hex);
        if (i->ocsp_url) {
                snprintf(access, sizeof(access), "OCSP;URI:%s", i->ocsp_url);
                add_config(cert, NID_info_access, access);
        }
        if (i->tls_feature)
                issue_add_der(cert, NID_tlsfeature, i->tls_feature, i->tls_feature_size);
}

static void set_serial(X509 *cert, const char *hex) {
        BIGNUM *bn = NULL;

        need(BN_hex2bn(&bn, hex) > 0 && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)), "serial");
        BN_free(bn);
}

static void set_dates(X509 *cert, uint64_t not_before_usec, uint64_t not_after_usec) {
        need(ASN1_TIME_set(X509_getm_notBefore(cert), (time_t) (not_before_usec / 1000000)) &&
                     ASN1_TIME_set(X509_getm_notAfter(cert), (time_t) (not_after_usec / 1000000)),
             "dates");
}

X509 *issue(const Issue *i) {
        X509 *cert = X509_new();

        need(cert && X509_set_version(cert, X509_VERSION_3) == 1 && X509_set_pubkey(cert, i->key) == 1, "body");
        set_serial(cert, i->serial_hex ? i->serial_hex : "01");
        set_dates(cert, i->not_before_usec ? i->not_before_usec : ISSUE_NOW_USEC - ISSUE_DAY_USEC,
                  i->not_after_usec ? i->not_after_usec : ISSUE_NOW_USEC + 60 * ISSUE_DAY_USEC);
        if (i->subject)
                need(san_set_common_name(X509_get_subject_name(cert), i->subject) == 0, "subject");
        need(X509_set_issuer_name(cert, X509_get_subject_name(i->issuer ? i->issuer : cert)) == 1, "issuer");
        add_extensions(cert, i);
        if (i->change)
                i->change(cert);
        need(X509_sign(cert, i->issuer ? i->issuer_key : i->key, openssl_signing_digest(i->issuer ? i->issuer_key : i->key)) > 0,
             "signature");
        return cert;
}
