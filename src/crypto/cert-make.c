/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "crypto/digest.h"
#include "crypto/san.h"

enum { SERIAL_BITS = 159 }; /* what 20 octets hold without a sign */

static int set_serial(X509 *cert) {
        _auto_bn_ BIGNUM *bn = BN_new();

        if (!bn || BN_rand(bn, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1 ||
            !BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)))
                return openssl_failure();
        return 0;
}

static int set_dates(X509 *cert, uint64_t not_before_usec, uint64_t not_after_usec) {
        ASN1_TIME *t = ASN1_TIME_new();
        bool done;

        done = t && ASN1_TIME_set(t, (time_t) (not_before_usec / USEC_PER_SEC)) && X509_set1_notBefore(cert, t) == 1 &&
                ASN1_TIME_set(t, (time_t) (not_after_usec / USEC_PER_SEC)) && X509_set1_notAfter(cert, t) == 1;
        ASN1_TIME_free(t);
        return done ? 0 : openssl_failure();
}

static int set_own_name(X509 *cert, const char *common_name) {
        X509_NAME *name = X509_NAME_new();
        int r = 0;

        if (!name)
                return openssl_failure();
        if (common_name)
                r = san_set_common_name(name, common_name);
        if (r == 0 && (X509_set_subject_name(cert, name) != 1 || X509_set_issuer_name(cert, name) != 1))
                r = openssl_failure();
        X509_NAME_free(name);
        return r;
}

static int add_extension(X509 *cert, int nid, void *value, bool critical) {
        if (!value || X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_DEFAULT) != 1)
                return openssl_failure();
        return 0;
}

static int add_not_a_ca(X509 *cert) {
        BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new(); /* cA is FALSE */
        int r = add_extension(cert, NID_basic_constraints, constraints, true);

        BASIC_CONSTRAINTS_free(constraints);
        return r;
}

static int add_server_auth(X509 *cert) {
        EXTENDED_KEY_USAGE *usage = EXTENDED_KEY_USAGE_new();
        int r;

        if (!usage || sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_server_auth)) <= 0) /* a static object */
                r = openssl_failure();
        else
                r = add_extension(cert, NID_ext_key_usage, usage, false);
        EXTENDED_KEY_USAGE_free(usage);
        return r;
}

static int add_names(X509 *cert, char *const *names, bool critical) {
        _auto_general_names_ GENERAL_NAMES *san = NULL;
        int r;

        r = san_make(names, &san, NULL);
        if (r < 0)
                return r;
        return add_extension(cert, NID_subject_alt_name, san, critical);
}

/* All but the signature. */
static int make_unsigned(EVP_PKEY *key, const char *common_name, char *const *names, uint64_t not_before_usec, uint64_t not_after_usec, X509 **ret) {
        _auto_x509_ X509 *cert = NULL;
        int r;

        if (not_before_usec >= not_after_usec)
                return -EINVAL;
        cert = X509_new();
        if (!cert || X509_set_version(cert, X509_VERSION_3) != 1 || X509_set_pubkey(cert, key) != 1)
                return openssl_failure();
        r = set_serial(cert);
        if (r == 0)
                r = set_dates(cert, not_before_usec, not_after_usec);
        if (r == 0)
                r = set_own_name(cert, common_name);
        if (r == 0)
                r = add_not_a_ca(cert);
        if (r == 0)
                r = add_server_auth(cert);
        if (r == 0)
                r = add_names(cert, names, !common_name); /* RFC 5280 section 4.2.1.6: critical beside an empty subject */
        if (r < 0)
                return r;

        *ret = take_ptr(cert);
        return 0;
}

static int sign(X509 *cert, EVP_PKEY *key) {
        return X509_sign(cert, key, openssl_signing_digest(key)) > 0 ? 0 : openssl_failure();
}

int cert_make_self_signed(EVP_PKEY *key, const char *common_name, char *const *names, uint64_t not_before_usec,
                          uint64_t not_after_usec, X509 **ret) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_x509_ X509 *cert = NULL;
        const char *cn;
        int r;

        assert(key);
        assert(ret);

        cn = common_name ? san_common_name((char *const[]){ (char *) common_name, NULL }) : NULL;
        if (!cn)
                cn = san_common_name(names);
        r = make_unsigned(key, cn, names, not_before_usec, not_after_usec, &cert);
        if (r == 0)
                r = sign(cert, key);
        if (r < 0)
                return r;
        *ret = take_ptr(cert);
        return 0;
}

static int replace_names(X509 *cert, char *const *names) {
        int at = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);
        bool critical = at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(cert, at)) == 1;

        if (at >= 0)
                X509_EXTENSION_free(X509_delete_ext(cert, at));
        return add_names(cert, names, critical);
}

int cert_change_self_signed(X509 *cert, EVP_PKEY *key, char *const *names) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        int r;

        assert(cert);
        assert(key);

        r = replace_names(cert, names);
        if (r == 0)
                r = set_serial(cert);
        return r == 0 ? sign(cert, key) : r;
}

/* Authorization ::= OCTET STRING (SIZE (32)) */
static int add_acme_identifier(X509 *cert, const uint8_t digest[static DIGEST_SHA256_SIZE]) {
        ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        X509_EXTENSION *extension = NULL;
        uint8_t der[2 + DIGEST_SHA256_SIZE] = { V_ASN1_OCTET_STRING, DIGEST_SHA256_SIZE };
        bool done;

        memcpy(der + 2, digest, DIGEST_SHA256_SIZE);
        done = id && value && ASN1_OCTET_STRING_set(value, der, sizeof(der)) == 1 &&
                (extension = X509_EXTENSION_create_by_OBJ(NULL, id, true, value)) && X509_add_ext(cert, extension, -1) == 1;
        X509_EXTENSION_free(extension);
        ASN1_OCTET_STRING_free(value);
        ASN1_OBJECT_free(id);
        return done ? 0 : openssl_failure();
}

int cert_make_acme_tls(EVP_PKEY *key, const char *identifier, const char *key_authorization, uint64_t not_before_usec, uint64_t not_after_usec, X509 **ret) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        char *const names[] = { (char *) identifier, NULL };
        uint8_t digest[DIGEST_SHA256_SIZE];
        _auto_x509_ X509 *cert = NULL;
        int r;

        assert(key);
        assert(identifier);
        assert(key_authorization);
        assert(ret);

        r = digest_sha256(key_authorization, strlen(key_authorization), digest);
        if (r == 0)
                r = make_unsigned(key, san_common_name(names), names, not_before_usec, not_after_usec, &cert);
        if (r == 0)
                r = add_acme_identifier(cert, digest);
        if (r == 0)
                r = sign(cert, key);
        if (r < 0)
                return r;
        *ret = take_ptr(cert);
        return 0;
}
