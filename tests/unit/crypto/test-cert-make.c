/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "issue.h"
#include "lib/test.h"

/* What is made for Apache's fallback is tested with the reading of certificates, in test-cert.c. */

#define _auto_info_ _cleanup_(cert_info_done)

#define ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31"
#define AUTHORIZATION "DGyRejmCefe7v4NfDGDKfA.p8Yq9cRiNCPGjQ0XCwhHhEBoPx9nbBVWZGJS5EhjI3c"

/* The extension's value, and how often it is there. */
static X509_EXTENSION *find_acme_identifier(X509 *cert, int *ret_n) {
        ASN1_OBJECT *id = OBJ_txt2obj(ACME_IDENTIFIER, 1);
        X509_EXTENSION *found = NULL;
        int at = -1;

        *ret_n = 0;
        while ((at = X509_get_ext_by_OBJ(cert, id, at)) >= 0) {
                found = X509_get_ext(cert, at);
                (*ret_n)++;
        }
        ASN1_OBJECT_free(id);
        return found;
}

static X509 *make(EVP_PKEY *key, const char *identifier, const char *authorization) {
        X509 *cert = NULL;

        CHECK_INT(cert_make_acme_tls(key, identifier, authorization, ISSUE_NOW_USEC, ISSUE_NOW_USEC + ISSUE_DAY_USEC, &cert), 0);
        return cert;
}

static void check_identifier(X509 *cert, const char *authorization) {
        uint8_t expected[2 + DIGEST_SHA256_SIZE] = { 0x04, 0x20 };
        X509_EXTENSION *extension;
        int n;

        REQUIRE(digest_sha256(authorization, strlen(authorization), expected + 2) == 0);
        extension = find_acme_identifier(cert, &n);
        CHECK_INT(n, 1);
        REQUIRE(extension);
        CHECK_INT(X509_EXTENSION_get_critical(extension), 1);
        CHECK_INT(ASN1_STRING_length(X509_EXTENSION_get_data(extension)), sizeof(expected));
        CHECK_MEM(ASN1_STRING_get0_data(X509_EXTENSION_get_data(extension)), expected, sizeof(expected));
}

TEST(acme_tls_by_every_kind_of_key_and_identifier) {
        static const char *const identifiers[] = {
                "example.org", "192.0.2.1", "2001:db8::1", "a-name-that-is-much-too-long-for-a-common-name.some-domain.example.org",
        };
        EVP_PKEY *keys[] = { issue_key(), issue_rsa_key() };

        for (size_t i = 0; i < ELEMENTSOF(identifiers) * ELEMENTSOF(keys); i++) {
                const char *identifier = identifiers[i / ELEMENTSOF(keys)];
                EVP_PKEY *key = keys[i % ELEMENTSOF(keys)];
                _auto_x509_ X509 *cert = make(key, identifier, AUTHORIZATION);
                _auto_info_ CertInfo info = { 0 };

                test_case("%s, key %zu", identifier, i % ELEMENTSOF(keys));
                REQUIRE(cert);
                REQUIRE(cert_info_read(cert, &info) == 0);
                CHECK_UINT(strv_length(info.names), 1);
                CHECK_STR(info.names[0], identifier);
                CHECK_STR(info.issuer, info.subject);
                CHECK_INT(X509_verify(cert, key), 1);
                CHECK_INT(X509_check_ca(cert), 0);
                check_identifier(cert, AUTHORIZATION);
                CHECK_UINT(ERR_peek_error(), 0);
        }
        EVP_PKEY_free(keys[0]);
        EVP_PKEY_free(keys[1]);
}

TEST(acme_tls_of_another_authorization) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *first = make(key, "example.org", AUTHORIZATION), *second = make(key, "example.org", AUTHORIZATION "x");

        REQUIRE(first && second);
        check_identifier(first, AUTHORIZATION);
        check_identifier(second, AUTHORIZATION "x");
}

TEST(acme_tls_refused) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        X509 *cert = NULL;

        CHECK_INT(cert_make_acme_tls(key, "a b", AUTHORIZATION, 1, 2, &cert), -EINVAL);
        CHECK_INT(cert_make_acme_tls(key, "", AUTHORIZATION, 1, 2, &cert), -EINVAL);
        CHECK_INT(cert_make_acme_tls(key, "example.org", AUTHORIZATION, 2, 2, &cert), -EINVAL);
        CHECK(!cert);
}
