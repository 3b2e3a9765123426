/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ocsp.h"

#include <errno.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/string-util.h"

#define WITHOUT_END_USEC (12 * USEC_PER_HOUR) /* the life of an answer that does not say how long it counts */
#define SKEW_USEC (5 * USEC_PER_MINUTE)       /* by which a responder's clock may be ahead of ours */

enum {
        NONCE_SIZE = 16, /* RFC 8954 allows 1 to 32 octets */
        SERIAL_HEX_MAX = 128,
};

DEFINE_OPENSSL_CLEANUP(OCSP_REQUEST, ocsp_request, OCSP_REQUEST_free)
DEFINE_OPENSSL_CLEANUP(OCSP_RESPONSE, ocsp_response, OCSP_RESPONSE_free)
DEFINE_OPENSSL_CLEANUP(OCSP_BASICRESP, ocsp_basicresp, OCSP_BASICRESP_free)
DEFINE_OPENSSL_CLEANUP(OCSP_CERTID, ocsp_certid, OCSP_CERTID_free)
DEFINE_OPENSSL_CLEANUP(X509_STORE, x509_store, X509_STORE_free)
DEFINE_OPENSSL_CLEANUP(ASN1_INTEGER, asn1_integer, ASN1_INTEGER_free)

#define refuse(ret_problem, ...)                                                        \
        ({                                                                              \
                (void) problem_set((ret_problem), PROBLEM_TYPE_OCSP, __VA_ARGS__);      \
                -EBADMSG;                                                               \
        })

int ocsp_certificate_id(X509 *cert, char **ret_hex) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        uint8_t hash[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        assert(cert);
        assert(ret_hex);

        if (X509_digest(cert, EVP_sha1(), hash, &n) != 1)
                return openssl_failure();
        *ret_hex = hex_encode(hash, n);
        return *ret_hex ? 0 : -ENOMEM;
}

static int make_id(X509 *issuer, const char *serial, OCSP_CERTID **ret) {
        _cleanup_(cleanup_asn1_integer) ASN1_INTEGER *number = NULL;
        _auto_bn_ BIGNUM *bn = NULL;
        size_t n = strlen(serial);

        if (n == 0 || n > SERIAL_HEX_MAX || BN_hex2bn(&bn, serial) != (int) n)
                return -EINVAL;
        number = BN_to_ASN1_INTEGER(bn, NULL);
        if (!number)
                return openssl_failure();
        /* SHA-1, which is no signature here: it is what every responder knows its issuers by (RFC 5019 section 2.1.1). */
        *ret = OCSP_cert_id_new(EVP_sha1(), X509_get_subject_name(issuer), X509_get0_pubkey_bitstr(issuer), number);
        return *ret ? 0 : openssl_failure();
}

int ocsp_request_make(X509 *issuer, const char *serial, bool with_nonce, void **ret_der, size_t *ret_size) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _cleanup_(cleanup_ocsp_request) OCSP_REQUEST *request = OCSP_REQUEST_new();
        _cleanup_(cleanup_ocsp_certid) OCSP_CERTID *id = NULL;
        _auto_openssl_ uint8_t *der = NULL;
        int r, n;

        assert(issuer);
        assert(serial);
        assert(ret_der);
        assert(ret_size);

        r = make_id(issuer, serial, &id);
        if (r < 0)
                return r;
        if (!request || !OCSP_request_add0_id(request, id))
                return openssl_failure();
        id = NULL;
        if (with_nonce && OCSP_request_add1_nonce(request, NULL, NONCE_SIZE) != 1)
                return openssl_failure();
        n = i2d_OCSP_REQUEST(request, &der);
        if (n <= 0)
                return openssl_failure();
        *ret_der = malloc((size_t) n);
        if (!*ret_der)
                return -ENOMEM;
        memcpy(*ret_der, der, (size_t) n);
        *ret_size = (size_t) n;
        return 0;
}

static int read_response(const void *der, size_t size, OCSP_BASICRESP **ret, Problem **ret_problem) {
        _cleanup_(cleanup_ocsp_response) OCSP_RESPONSE *response = NULL;
        const uint8_t *p = der;
        int status;

        if (size == 0 || size > OCSP_RESPONSE_BYTES_MAX)
                return refuse(ret_problem, "The OCSP response has %zu bytes", size);
        response = d2i_OCSP_RESPONSE(NULL, &p, (long) size);
        if (!response || p != (const uint8_t *) der + size)
                return refuse(ret_problem, "What came is no OCSP response");
        status = OCSP_response_status(response);
        if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
                return refuse(ret_problem, "The OCSP responder answers: %s", OCSP_response_status_str(status));
        *ret = OCSP_response_get1_basic(response);
        return *ret ? 0 : refuse(ret_problem, "The OCSP response is of a kind that nobody knows");
}

/* Responders that sign in advance send none; one of somebody else's is somebody else's answer. */
static int check_nonce(OCSP_BASICRESP *basic, const void *request_der, size_t request_size, Problem **ret_problem) {
        _cleanup_(cleanup_ocsp_request) OCSP_REQUEST *request = NULL;
        const uint8_t *p = request_der;
        int r;

        request = d2i_OCSP_REQUEST(NULL, &p, (long) request_size);
        if (!request)
                return openssl_failure();
        r = OCSP_check_nonce(request, basic);
        return r == 0 || r == 3 ? refuse(ret_problem, "The OCSP response has another nonce than the request: it answers an older one") : 0;
}

static int read_time(const ASN1_TIME *t, uint64_t *ret_usec) {
        struct tm tm = { 0 };
        time_t seconds;

        if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
                return -EBADMSG;
        seconds = timegm(&tm);
        if (seconds <= 0)
                return -EBADMSG;
        *ret_usec = (uint64_t) seconds * USEC_PER_SEC;
        return 0;
}

/* OpenSSL believes these hashes to this day. */
static bool is_forgeable(const OCSP_BASICRESP *basic) {
        const ASN1_OBJECT *algorithm = NULL;
        int digest = NID_undef;

        X509_ALGOR_get0(&algorithm, NULL, NULL, OCSP_resp_get0_tbs_sigalg(basic));
        return OBJ_find_sigid_algs(OBJ_obj2nid(algorithm), &digest, NULL) == 1 && (digest == NID_md5 || digest == NID_md4 || digest == NID_md2);
}

/* From then on nobody believes what it signed. */
static uint64_t signer_ends_usec(OCSP_BASICRESP *basic, STACK_OF(X509) *certs) {
        X509 *signer = NULL;
        uint64_t end;

        if (OCSP_resp_get0_signer(basic, &signer, certs) != 1 || read_time(X509_get0_notAfter(signer), &end) < 0)
                return UINT64_MAX;
        return end;
}

/* The issuer is where trust begins; OpenSSL looks whether it signed itself or has a responder do it (RFC 6960 section 4.2.2.2). */
static int check_signature(OCSP_BASICRESP *basic, X509 *issuer, uint64_t now_usec, uint64_t *ret_end_usec, Problem **ret_problem) {
        _cleanup_(cleanup_x509_store) X509_STORE *store = X509_STORE_new();
        STACK_OF(X509) *certs = sk_X509_new_null(); /* borrows */
        _auto_free_ char *why = NULL;
        int r;

        if (!store || !certs || X509_STORE_add_cert(store, issuer) != 1 || sk_X509_push(certs, issuer) <= 0) {
                sk_X509_free(certs);
                return openssl_failure();
        }
        X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t) (now_usec / USEC_PER_SEC));
        (void) X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
        ERR_clear_error();
        r = is_forgeable(basic) ? 0 : OCSP_basic_verify(basic, certs, store, 0);
        *ret_end_usec = signer_ends_usec(basic, certs);
        sk_X509_free(certs);
        if (r == 1)
                return 0;
        why = openssl_errors();
        return why ? refuse(ret_problem, "The OCSP response is not signed by the issuer of the certificate, nor by one whom it allows to: %s", why) : -ENOMEM;
}

/* a->until_usec: when the signer's certificate ends. */
static int check_times(const ASN1_GENERALIZEDTIME *from, const ASN1_GENERALIZEDTIME *until, uint64_t now_usec, OcspAnswer *a, Problem **ret_problem) {
        uint64_t next = 0;
        char text[CLOCK_HUMAN_MAX];

        if (read_time(from, &a->from_usec) < 0 || (until && read_time(until, &next) < 0))
                return refuse(ret_problem, "The OCSP response has no readable times");
        if (!until)
                next = usec_add(a->from_usec, WITHOUT_END_USEC);
        a->until_usec = MIN_OF(a->until_usec, next);
        if (a->until_usec <= a->from_usec)
                return refuse(ret_problem, "The OCSP response ends before it begins");
        if (a->from_usec > usec_add(now_usec, SKEW_USEC))
                return refuse(ret_problem, "The OCSP response counts from %s only", clock_format_utc(text, a->from_usec));
        if (a->until_usec <= now_usec)
                return refuse(ret_problem, "The OCSP response ran out at %s", clock_format_utc(text, a->until_usec));
        return 0;
}

static int read_status(OCSP_BASICRESP *basic, X509 *issuer, const char *serial, uint64_t now_usec, OcspAnswer *a, Problem **ret_problem) {
        _cleanup_(cleanup_ocsp_certid) OCSP_CERTID *id = NULL;
        ASN1_GENERALIZEDTIME *revoked_at = NULL, *from = NULL, *until = NULL;
        int r, status = V_OCSP_CERTSTATUS_UNKNOWN, reason = -1;

        r = make_id(issuer, serial, &id);
        if (r < 0)
                return r;
        if (OCSP_resp_find_status(basic, id, &status, &reason, &revoked_at, &from, &until) != 1)
                return refuse(ret_problem, "The OCSP response is about another certificate");
        if (OCSP_resp_find(basic, id, OCSP_resp_find(basic, id, -1)) >= 0)
                return refuse(ret_problem, "The OCSP response says more than one thing about the certificate");
        if (status != V_OCSP_CERTSTATUS_GOOD && status != V_OCSP_CERTSTATUS_REVOKED)
                return refuse(ret_problem, "The OCSP responder does not know the certificate");
        a->revoked = status == V_OCSP_CERTSTATUS_REVOKED;
        if (a->revoked && read_time(revoked_at, &a->revoked_usec) < 0)
                a->revoked_usec = 0; /* when does not matter to us */
        a->key_compromised = a->revoked && reason == OCSP_REVOKED_STATUS_KEYCOMPROMISE;
        return check_times(from, until, now_usec, a, ret_problem);
}

int ocsp_response_verify(const void *der, size_t size, const void *request, size_t request_size, X509 *issuer, const char *serial, uint64_t now_usec,
                         OcspAnswer *ret, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _cleanup_(cleanup_ocsp_basicresp) OCSP_BASICRESP *basic = NULL;
        OcspAnswer a = { 0 };
        int r;

        assert(der || size == 0);
        assert(issuer);
        assert(serial);
        assert(ret);

        r = read_response(der, size, &basic, ret_problem);
        if (r == 0 && request)
                r = check_nonce(basic, request, request_size, ret_problem);
        if (r == 0)
                r = check_signature(basic, issuer, now_usec, &a.until_usec, ret_problem);
        if (r == 0)
                r = read_status(basic, issuer, serial, now_usec, &a, ret_problem);
        if (r < 0)
                return r;
        *ret = a;
        return 0;
}
