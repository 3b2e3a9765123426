/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ocsp.h"

#include <errno.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "issue.h"
#include "lib/test.h"

/* A responder for tests: it says whatever it is told. */

#define NOW ISSUE_NOW_USEC
#define HOUR ((uint64_t) 3600 * 1000000)
#define NONE UINT64_MAX

typedef struct Ca {
        EVP_PKEY *key, *leaf_key, *responder_key;
        X509 *cert, *leaf, *responder, *plain;
} Ca;

static void allow_ocsp(X509 *cert) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, (char *) "OCSPSigning");

        (void) X509_add_ext(cert, e, -1);
        X509_EXTENSION_free(e);
}

static Ca make_ca(const char *name) {
        Ca ca = { .key = issue_key(), .leaf_key = issue_key(), .responder_key = issue_key() };

        ca.cert = issue(&(Issue){ .key = ca.key, .subject = name, .ca = true });
        ca.leaf = issue(&(Issue){ .key = ca.leaf_key, .issuer = ca.cert, .issuer_key = ca.key, .serial_hex = "7A01", .names = NAMES("example.org") });
        ca.responder = issue(&(Issue){ .key = ca.responder_key, .issuer = ca.cert, .issuer_key = ca.key, .serial_hex = "05", .subject = "responder", .change = allow_ocsp });
        ca.plain = issue(&(Issue){ .key = ca.responder_key, .issuer = ca.cert, .issuer_key = ca.key, .serial_hex = "06", .subject = "no responder" });
        return ca;
}

static void ca_done(Ca *ca) {
        EVP_PKEY_free(ca->key);
        EVP_PKEY_free(ca->leaf_key);
        EVP_PKEY_free(ca->responder_key);
        X509_free(ca->cert);
        X509_free(ca->leaf);
        X509_free(ca->responder);
        X509_free(ca->plain);
}

typedef struct Answer {
        int status, reason;
        const char *serial;        /* NULL: the right one */
        uint64_t from, until;      /* NONE for 'until': not said */
        bool without_nonce, wrong_nonce;
        X509 *issuer;              /* whose certificate it is about; NULL: the right one */
        X509 *signer;
        EVP_PKEY *key;
        bool without_certs;
        bool twice;                /* it says that it is revoked, too */
        const char *digest;        /* NULL: SHA-256 */
} Answer;

static OCSP_CERTID *make_id(X509 *issuer, const char *serial) {
        BIGNUM *bn = NULL;
        ASN1_INTEGER *number;
        OCSP_CERTID *id;

        (void) BN_hex2bn(&bn, serial);
        number = BN_to_ASN1_INTEGER(bn, NULL);
        id = OCSP_cert_id_new(EVP_sha1(), X509_get_subject_name(issuer), X509_get0_pubkey_bitstr(issuer), number);
        ASN1_INTEGER_free(number);
        BN_free(bn);
        return id;
}

static uint8_t *respond(const Ca *ca, const Answer *a, const void *request, size_t request_size, size_t *ret_size) {
        OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
        OCSP_CERTID *id = make_id(a->issuer ? a->issuer : ca->cert, a->serial ? a->serial : "7A01");
        ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t) (a->from / 1000000)), *until = a->until == NONE ? NULL : ASN1_TIME_set(NULL, (time_t) (a->until / 1000000));
        ASN1_TIME *revoked = ASN1_TIME_set(NULL, (time_t) ((NOW - HOUR) / 1000000));
        const uint8_t *p = request;
        OCSP_REQUEST *asked = d2i_OCSP_REQUEST(NULL, &p, (long) request_size);
        OCSP_RESPONSE *response;
        uint8_t *der = NULL;

        (void) OCSP_basic_add1_status(basic, id, a->status, a->reason, revoked, from, until);
        if (a->twice)
                (void) OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_REVOKED, 0, revoked, from, until);
        if (a->wrong_nonce)
                (void) OCSP_basic_add1_nonce(basic, NULL, 16);
        else if (!a->without_nonce)
                (void) OCSP_copy_nonce(basic, asked);
        (void) OCSP_basic_sign(basic, a->signer ? a->signer : ca->cert, a->key ? a->key : ca->key, a->digest ? EVP_get_digestbyname(a->digest) : EVP_sha256(), NULL, a->without_certs ? OCSP_NOCERTS : 0);
        response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
        *ret_size = (size_t) i2d_OCSP_RESPONSE(response, &der);
        OCSP_RESPONSE_free(response);
        OCSP_REQUEST_free(asked);
        ASN1_TIME_free(from);
        ASN1_TIME_free(until);
        ASN1_TIME_free(revoked);
        OCSP_CERTID_free(id);
        OCSP_BASICRESP_free(basic);
        return der;
}

static int ask(const Ca *ca, const Answer *a, OcspAnswer *ret, Problem **ret_problem) {
        _auto_free_ void *request = NULL;
        _auto_openssl_ uint8_t *der = NULL;
        size_t size, request_size;

        if (ocsp_request_make(ca->cert, "7A01", true, &request, &request_size) != 0)
                return -EIO;
        der = respond(ca, a, request, request_size, &size);
        return ocsp_response_verify(der, size, request, request_size, ca->cert, "7A01", NOW, ret, ret_problem);
}

#define GOOD .status = V_OCSP_CERTSTATUS_GOOD, .from = NOW - HOUR, .until = NOW + HOUR

TEST(good) {
        _cleanup_(ca_done) Ca ca = make_ca("CA");
        const struct {
                const char *what;
                Answer answer;
                uint64_t until;
        } cases[] = {
                { "signed by the issuer", { GOOD }, NOW + HOUR },
                { "… without its certificate", { GOOD, .without_certs = true }, NOW + HOUR },
                { "signed by its delegate", { GOOD, .signer = ca.responder, .key = ca.responder_key }, NOW + HOUR },
                { "signed in advance", { GOOD, .without_nonce = true }, NOW + HOUR },
                { "without end", { .status = V_OCSP_CERTSTATUS_GOOD, .from = NOW - HOUR, .until = NONE }, NOW + 11 * HOUR },
                { "from a clock that is ahead", { .status = V_OCSP_CERTSTATUS_GOOD, .from = NOW + HOUR / 60, .until = NOW + HOUR }, NOW + HOUR },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_problem_ Problem *p = NULL;
                OcspAnswer a = { 0 };

                test_case("%s", cases[i].what);
                CHECK_INT(ask(&ca, &cases[i].answer, &a, &p), 0);
                CHECK_STR(p ? p->detail : NULL, NULL);
                CHECK(!a.revoked);
                CHECK_UINT(a.until_usec, cases[i].until);
        }
}

TEST(revoked) {
        _cleanup_(ca_done) Ca ca = make_ca("CA");
        Answer answer = { GOOD };
        OcspAnswer a = { 0 };

        answer.status = V_OCSP_CERTSTATUS_REVOKED;
        answer.reason = OCSP_REVOKED_STATUS_KEYCOMPROMISE;
        REQUIRE(ask(&ca, &answer, &a, NULL) == 0);
        CHECK(a.revoked && a.key_compromised);
        CHECK_UINT(a.revoked_usec, NOW - HOUR);
        answer.reason = OCSP_REVOKED_STATUS_SUPERSEDED;
        REQUIRE(ask(&ca, &answer, &a, NULL) == 0);
        CHECK(a.revoked && !a.key_compromised);
}

TEST(refused) {
        _cleanup_(ca_done) Ca ca = make_ca("CA"), other = make_ca("CA"), stranger = make_ca("stranger");
        _auto_pkey_ EVP_PKEY *rsa_key = issue_rsa_key();
        _auto_x509_ X509 *rsa = issue(&(Issue){ .key = rsa_key, .issuer = ca.cert, .issuer_key = ca.key, .serial_hex = "09", .subject = "responder", .change = allow_ocsp });
        const struct {
                const char *what;
                Answer answer;
        } cases[] = {
                { "unknown", { .status = V_OCSP_CERTSTATUS_UNKNOWN, .from = NOW - HOUR, .until = NOW + HOUR } },
                { "another serial number", { GOOD, .serial = "7A02" } },
                { "another issuer's", { GOOD, .issuer = stranger.cert } },
                { "an issuer of the same name with another key", { GOOD, .issuer = other.cert } },
                { "another nonce", { GOOD, .wrong_nonce = true } },
                { "signed by a stranger", { GOOD, .signer = stranger.cert, .key = stranger.key } },
                { "signed by one of the same name", { GOOD, .signer = other.cert, .key = other.key } },
                { "signed by one of the same name, without certificate", { GOOD, .signer = other.cert, .key = other.key, .without_certs = true } },
                { "signed by a stranger's delegate", { GOOD, .signer = stranger.responder, .key = stranger.responder_key } },
                { "signed by a certificate that may not", { GOOD, .signer = ca.plain, .key = ca.responder_key } },
                { "signed by the certificate itself", { GOOD, .signer = ca.leaf, .key = ca.leaf_key } },
                { "expired", { .status = V_OCSP_CERTSTATUS_GOOD, .from = NOW - 2 * HOUR, .until = NOW } },
                { "expired without end", { .status = V_OCSP_CERTSTATUS_GOOD, .from = NOW - 12 * HOUR, .until = NONE } },
                { "from the future", { .status = V_OCSP_CERTSTATUS_GOOD, .from = NOW + HOUR, .until = NOW + 2 * HOUR } },
                { "with two opinions", { GOOD, .twice = true } },
                { "signed with what can be forged", { GOOD, .digest = "MD5", .signer = rsa, .key = rsa_key } },
                { "ends before it begins", { .status = V_OCSP_CERTSTATUS_GOOD, .from = NOW + HOUR / 60, .until = NOW + 1000000 } },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_problem_ Problem *p = NULL;
                OcspAnswer a = { 0 };

                test_case("%s", cases[i].what);
                CHECK_INT(ask(&ca, &cases[i].answer, &a, &p), -EBADMSG);
                CHECK_STR(p ? p->type : NULL, PROBLEM_TYPE_OCSP);
                CHECK_UINT(a.until_usec, 0);
        }
        CHECK_UINT(ERR_peek_error(), 0);
}

TEST(expired_delegate) {
        _cleanup_(ca_done) Ca ca = make_ca("CA");
        X509 *old = issue(&(Issue){ .key = ca.responder_key, .issuer = ca.cert, .issuer_key = ca.key, .serial_hex = "08", .subject = "old", .change = allow_ocsp,
                                    .not_before_usec = NOW - 30 * ISSUE_DAY_USEC, .not_after_usec = NOW - ISSUE_DAY_USEC });
        Answer answer = { GOOD, .signer = old, .key = ca.responder_key };
        OcspAnswer a;

        CHECK_INT(ask(&ca, &answer, &a, NULL), -EBADMSG);
        X509_free(old);
}

/* Nobody believes a responder whose own certificate ran out. */
TEST(delegate_that_ends_sooner) {
        _cleanup_(ca_done) Ca ca = make_ca("CA");
        _auto_x509_ X509 *brief = issue(&(Issue){ .key = ca.responder_key, .issuer = ca.cert, .issuer_key = ca.key, .serial_hex = "08", .subject = "brief",
                                                  .change = allow_ocsp, .not_after_usec = NOW + HOUR / 2 });
        Answer answer = { GOOD, .signer = brief, .key = ca.responder_key };
        OcspAnswer a = { 0 };

        REQUIRE(ask(&ca, &answer, &a, NULL) == 0);
        CHECK_UINT(a.until_usec, NOW + HOUR / 2);
}

TEST(torn) {
        _cleanup_(ca_done) Ca ca = make_ca("CA");
        _auto_free_ void *request = NULL;
        _auto_openssl_ uint8_t *der = NULL;
        Answer answer = { GOOD };
        size_t size, request_size;
        OcspAnswer a;

        REQUIRE(ocsp_request_make(ca.cert, "7A01", true, &request, &request_size) == 0);
        der = respond(&ca, &answer, request, request_size, &size);
        REQUIRE(ocsp_response_verify(der, size, request, request_size, ca.cert, "7A01", NOW, &a, NULL) == 0);
        for (size_t n = 0; n < size; n++)
                if (!CHECK_INT(ocsp_response_verify(der, n, request, request_size, ca.cert, "7A01", NOW, &a, NULL), -EBADMSG))
                        break;
        for (size_t n = 0; n < size; n += 3) {
                _auto_free_ uint8_t *copy = malloc(size + 1);

                memcpy(copy, der, size);
                copy[n] ^= 0x55;
                (void) ocsp_response_verify(copy, size, request, request_size, ca.cert, "7A01", NOW, &a, NULL); /* must not crash */
                copy[n] ^= 0x55;
                copy[size] = 0;
                if (!CHECK_INT(ocsp_response_verify(copy, size + 1, request, request_size, ca.cert, "7A01", NOW, &a, NULL), -EBADMSG))
                        break;
        }
}

TEST(errors_of_responders) {
        static const uint8_t try_later[] = { 0x30, 0x03, 0x0a, 0x01, 0x03 };
        _cleanup_(ca_done) Ca ca = make_ca("CA");
        _auto_free_ void *request = NULL;
        _auto_problem_ Problem *p = NULL;
        size_t request_size;
        OcspAnswer a;

        REQUIRE(ocsp_request_make(ca.cert, "7A01", true, &request, &request_size) == 0);
        CHECK_INT(ocsp_response_verify(try_later, sizeof(try_later), request, request_size, ca.cert, "7A01", NOW, &a, &p), -EBADMSG);
        CHECK(p && strstr(p->detail, "trylater"));
}

TEST(requests) {
        _cleanup_(ca_done) Ca ca = make_ca("CA");
        _auto_free_ void *a = NULL, *b = NULL, *c = NULL, *d = NULL;
        _auto_free_ char *id = NULL;
        size_t a_size, b_size, c_size, d_size;

        CHECK_INT(ocsp_request_make(ca.cert, "", true, &a, &a_size), -EINVAL);
        CHECK_INT(ocsp_request_make(ca.cert, "7G", true, &a, &a_size), -EINVAL);
        REQUIRE(ocsp_request_make(ca.cert, "7A01", true, &a, &a_size) == 0 && ocsp_request_make(ca.cert, "7A01", true, &b, &b_size) == 0);
        CHECK(a_size == b_size && a_size < OCSP_REQUEST_BYTES_MAX && memcmp(a, b, a_size) != 0); /* by the nonce */
        REQUIRE(ocsp_certificate_id(ca.leaf, &id) == 0);
        CHECK_UINT(strlen(id), 40);
        REQUIRE(ocsp_request_make(ca.cert, "7A01", false, &c, &c_size) == 0 && ocsp_request_make(ca.cert, "7A01", false, &d, &d_size) == 0);
        CHECK(c_size == d_size && c_size < a_size && memcmp(c, d, c_size) == 0);
}
