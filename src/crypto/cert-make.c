/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
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

int cert_make_self_signed(EVP_PKEY *key, const char *common_name, char *const *names, uint64_t not_before_usec,
                          uint64_t not_after_usec, X509 **ret) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_x509_ X509 *cert = NULL;
        const char *cn;
        int r;

        assert(key);
        assert(ret);

        if (not_before_usec >= not_after_usec)
                return -EINVAL;
        cn = common_name ? san_common_name((char *const[]){ (char *) common_name, NULL }) : NULL;
        if (!cn)
                cn = san_common_name(names);
        cert = X509_new();
        if (!cert || X509_set_version(cert, X509_VERSION_3) != 1 || X509_set_pubkey(cert, key) != 1)
                return openssl_failure();
        r = set_serial(cert);
        if (r == 0)
                r = set_dates(cert, not_before_usec, not_after_usec);
        if (r == 0)
                r = set_own_name(cert, cn);
        if (r == 0)
                r = add_not_a_ca(cert);
        if (r == 0)
                r = add_server_auth(cert);
        if (r == 0)
                r = add_names(cert, names, !cn); /* RFC 5280 section 4.2.1.6: critical beside an empty subject */
        if (r < 0)
                return r;
        if (X509_sign(cert, key, openssl_signing_digest(key)) <= 0)
                return openssl_failure();
        *ret = take_ptr(cert);
        return 0;
}
