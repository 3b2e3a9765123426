/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crl.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define PEM_BEGIN "-----BEGIN X509 CRL-----"
#define SKEW_USEC (5 * USEC_PER_MINUTE) /* by which a CA's clock may be ahead of ours */

DEFINE_OPENSSL_CLEANUP(X509_STORE, x509_store, X509_STORE_free)
DEFINE_OPENSSL_CLEANUP(X509_STORE_CTX, x509_store_ctx, X509_STORE_CTX_free)
DEFINE_OPENSSL_CLEANUP(STACK_OF(X509_CRL), crl_stack, sk_X509_CRL_free) /* borrows */

#define refuse(ret_problem, ...)                                                        \
        ({                                                                              \
                (void) problem_set((ret_problem), PROBLEM_TYPE_CRL, __VA_ARGS__);       \
                -EBADMSG;                                                               \
        })

void crl_done(Crl *c) {
        X509_CRL_free(c->crl);
        *c = (Crl){ 0 };
}

static X509_CRL *read_pem(const void *data, size_t size) {
        _auto_bio_ BIO *bio = BIO_new_mem_buf(data, (int) size);

        return bio ? PEM_read_bio_X509_CRL(bio, NULL, openssl_no_passphrase, NULL) : NULL;
}

static X509_CRL *read_der(const void *data, size_t size) {
        const uint8_t *p = data;
        X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long) size);

        if (crl && p != (const uint8_t *) data + size) {
                X509_CRL_free(crl);
                return NULL;
        }
        return crl;
}

static int read_time(const ASN1_TIME *t, uint64_t *ret_usec) {
        struct tm tm = { 0 };
        time_t seconds;

        if (ASN1_TIME_to_tm(t, &tm) != 1)
                return -EBADMSG;
        seconds = timegm(&tm);
        if (seconds <= 0)
                return -EBADMSG;
        *ret_usec = (uint64_t) seconds * USEC_PER_SEC;
        return 0;
}

int crl_read(const void *data, size_t size, Crl *ret, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_crl_ Crl c = { 0 };
        const ASN1_TIME *until;

        assert(data || size == 0);
        assert(ret);

        if (size == 0 || size > CRL_BYTES_MAX)
                return refuse(ret_problem, "The CRL has %zu bytes", size);
        c.crl = size > strlen(PEM_BEGIN) && memcmp(data, PEM_BEGIN, strlen(PEM_BEGIN)) == 0 ? read_pem(data, size) : read_der(data, size);
        if (!c.crl)
                return refuse(ret_problem, "What came is no CRL");
        until = X509_CRL_get0_nextUpdate(c.crl);
        if (read_time(X509_CRL_get0_lastUpdate(c.crl), &c.from_usec) < 0 || (until && read_time(until, &c.until_usec) < 0) ||
            (until && c.until_usec <= c.from_usec))
                return refuse(ret_problem, "The CRL has no times that make sense");
        *ret = c;
        c = (Crl){ 0 };
        return 0;
}

/* What is found on the way. */
typedef struct Look {
        const Crl *crl;
        uint64_t now_usec;
        bool revoked;
} Look;

/* Asked is about the list: whether the certificate has run out by now does not matter to it. */
static int on_finding(int ok, X509_STORE_CTX *context) {
        Look *look = X509_STORE_CTX_get_app_data(context);

        if (ok)
                return ok;
        switch (X509_STORE_CTX_get_error(context)) {

        case X509_V_ERR_CERT_REVOKED:
                look->revoked = true;
                return 1;

        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID:
                return 1;

        case X509_V_ERR_CRL_NOT_YET_VALID:
                return look->crl->from_usec <= usec_add(look->now_usec, SKEW_USEC);

        default:
                return 0;
        }
}

/* The issuer is where trust begins; what a list has to be like for a certificate (RFC 5280 section 6.3) is OpenSSL's business. */
static int look_at(Look *look, X509 *cert, X509 *issuer, Problem **ret_problem) {
        _cleanup_(cleanup_x509_store) X509_STORE *store = X509_STORE_new();
        _cleanup_(cleanup_x509_store_ctx) X509_STORE_CTX *context = X509_STORE_CTX_new();
        _cleanup_(cleanup_crl_stack) STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
        X509_VERIFY_PARAM *param;
        int error;

        if (!store || !context || !crls || sk_X509_CRL_push(crls, look->crl->crl) <= 0 || X509_STORE_add_cert(store, issuer) != 1 ||
            X509_STORE_CTX_init(context, store, cert, NULL) != 1 || X509_STORE_CTX_set_app_data(context, look) != 1)
                return openssl_failure();
        X509_STORE_CTX_set0_crls(context, crls);
        X509_STORE_CTX_set_verify_cb(context, on_finding);
        param = X509_STORE_CTX_get0_param(context);
        X509_VERIFY_PARAM_set_time(param, (time_t) (look->now_usec / USEC_PER_SEC));
        if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_PARTIAL_CHAIN) != 1)
                return openssl_failure();
        if (X509_verify_cert(context) == 1)
                return 0;
        error = X509_STORE_CTX_get_error(context);
        if (error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_DIFFERENT_CRL_SCOPE)
                return refuse(ret_problem, "The CRL is not the one for this certificate: another issuer, or another part of the list");
        return refuse(ret_problem, "The CRL is not to be believed: %s", X509_verify_cert_error_string(error));
}

static bool is_compromised(X509_CRL *crl, X509 *cert) {
        X509_REVOKED *entry = NULL;
        ASN1_ENUMERATED *reason;
        bool compromised;

        if (X509_CRL_get0_by_cert(crl, &entry, cert) != 1)
                return false;
        reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
        compromised = reason && ASN1_ENUMERATED_get(reason) == CRL_REASON_KEY_COMPROMISE;
        ASN1_ENUMERATED_free(reason);
        return compromised;
}

int crl_check(const Crl *c, X509 *cert, X509 *issuer, uint64_t now_usec, CrlAnswer *ret, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        Look look = { .crl = c, .now_usec = now_usec };
        int r;

        assert(c);
        assert(cert);
        assert(issuer);
        assert(ret);

        r = look_at(&look, cert, issuer, ret_problem);
        if (r < 0)
                return r;
        *ret = (CrlAnswer){ .revoked = look.revoked, .key_compromised = look.revoked && is_compromised(c->crl, cert) };
        return 0;
}
