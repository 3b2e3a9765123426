/* SPDX-License-Identifier: Apache-2.0 */

/* The manager makes these certificates, another folder's code judges them: both from RFC 8737. */

#include "acme-worker/alpn-proof.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "crypto/cert.h"
#include "lib/test.h"

#define AUTHORIZATION "DGyRejmCefe7v4NfDGDKfA.p8Yq9cRiNCPGjQ0XCwhHhEBoPx9nbBVWZGJS5EhjI3c"
#define NOW_USEC (1700000000 * USEC_PER_SEC)

static char *digest_of(const char *authorization) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size;

        if (EVP_Digest(authorization, strlen(authorization), digest, &size, EVP_sha256(), NULL) != 1)
                return NULL;
        return hex_encode(digest, size);
}

static X509 *make(const char *identifier) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *certificate = NULL;

        CHECK_INT(cert_make_acme_tls(key, identifier, AUTHORIZATION, NOW_USEC, NOW_USEC + USEC_PER_DAY, &certificate), 0);
        EVP_PKEY_free(key);
        return certificate;
}

static void expect(X509 *certificate, const char *identifier, const char *authorization, const char *why) {
        _auto_free_ char *digest = digest_of(authorization), *said = NULL;
        int r;

        REQUIRE(digest && certificate);
        r = alpn_proof_check(certificate, identifier, digest, &said);
        CHECK_INT(r, why ? ALPN_PROOF_E_WRONG : ALPN_PROOF_DONE);
        if (why)
                CHECK(said && strstr(said, why));
        else
                CHECK(!said);
}

TEST(good_ones) {
        static const char *const identifiers[] = { "example.org", "192.0.2.7", "2001:db8::7" };

        for (size_t i = 0; i < ELEMENTSOF(identifiers); i++) {
                _auto_x509_ X509 *certificate = make(identifiers[i]);

                test_case("%s", identifiers[i]);
                expect(certificate, identifiers[i], AUTHORIZATION, NULL);
        }
}

TEST(others) {
        _auto_x509_ X509 *name = make("example.org"), *address = make("192.0.2.7");

        expect(name, "example.org", "another.authorization", "another challenge");
        expect(name, "www.example.org", AUTHORIZATION, "not for this name alone");
        expect(address, "192.0.2.8", AUTHORIZATION, "not for this name alone");
        expect(address, "example.org", AUTHORIZATION, "not for this name alone");
}

TEST(an_ordinary_certificate) {
        char *names[] = { (char *) "example.org", NULL };
        EVP_PKEY *key = EVP_EC_gen("P-256");
        _auto_x509_ X509 *certificate = NULL;

        CHECK_INT(cert_make_self_signed(key, "example.org", names, NOW_USEC, NOW_USEC + USEC_PER_DAY, &certificate), 0);
        EVP_PKEY_free(key);
        expect(certificate, "example.org", AUTHORIZATION, "answers no challenge");
        expect(certificate, "example.org", AUTHORIZATION, "CN=example.org");
}

/* What makes a good one wrong, one thing at a time. */
TEST(bent_extension) {
        _auto_x509_ X509 *soft = make("example.org"), *torn = make("example.org");
        ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        X509_EXTENSION *extension;

        extension = X509_get_ext(soft, X509_get_ext_by_OBJ(soft, id, -1));
        CHECK_INT(X509_EXTENSION_set_critical(extension, 0), 1);
        expect(soft, "example.org", AUTHORIZATION, "not critical");

        extension = X509_get_ext(torn, X509_get_ext_by_OBJ(torn, id, -1));
        CHECK_INT(ASN1_OCTET_STRING_set(value, (const unsigned char *) "\x04\x20 short", 8), 1);
        CHECK_INT(X509_EXTENSION_set_data(extension, value), 1);
        expect(torn, "example.org", AUTHORIZATION, "another challenge");
        ASN1_OCTET_STRING_free(value);
        ASN1_OBJECT_free(id);
}

TEST(a_digest_that_is_none) {
        _auto_x509_ X509 *certificate = make("example.org");
        _auto_free_ char *why = NULL;

        CHECK(alpn_proof_check(certificate, "example.org", "", &why) < 0);
        CHECK(alpn_proof_check(certificate, "example.org", "00ff", &why) < 0);
        CHECK(alpn_proof_check(certificate, "example.org", "no digest", &why) < 0);
        CHECK(!why);
}

TEST(server_names) {
        static const struct {
                const char *identifier, *name;
        } cases[] = {
                { "example.org", "example.org" },
                { "192.0.2.7", "7.2.0.192.in-addr.arpa" },
                { "2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
                { "::ffff:192.0.2.7", "7.0.2.0.0.0.0.c.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *name = alpn_proof_server_name(cases[i].identifier);

                CHECK_STR(name, cases[i].name);
        }
}
