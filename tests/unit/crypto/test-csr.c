/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/csr.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/strv.h"
#include "issue.h"
#include "lib/test.h"

#define NAME_63 "a23456789012345678901234567890.a2345678901234567890.example.org"

static X509_REQ *make(EVP_PKEY *key, char *const *names, bool must_staple) {
        _auto_free_ char *text = NULL;
        _auto_free_ void *der = NULL;
        const uint8_t *p;
        size_t n;

        if (csr_make(key, names, must_staple, &text, NULL) != 0 || base64url_decode(text, strlen(text), &der, &n) != 0)
                return NULL;
        p = der;
        return d2i_X509_REQ(NULL, &p, (long) n);
}

static size_t count_extensions(X509_REQ *req, int nid, X509_EXTENSION **ret) {
        STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(req);
        size_t n = (size_t) sk_X509_EXTENSION_num(extensions);
        int at = X509v3_get_ext_by_NID(extensions, nid, -1);

        *ret = at >= 0 ? X509_EXTENSION_dup(sk_X509_EXTENSION_value(extensions, at)) : NULL;
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
        return n;
}

static void check_common_name(X509_REQ *req, const char *expected) {
        const X509_NAME *name = X509_REQ_get_subject_name(req);
        int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);

        CHECK_INT(X509_NAME_entry_count(name), expected ? 1 : 0);
        if (expected && CHECK(at >= 0))
                CHECK_STR((const char *) ASN1_STRING_get0_data(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))), expected);
}

TEST(names) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_req_ X509_REQ *req = make(key, NAMES("example.org", "*.example.org", "192.0.2.1", "2001:db8::1"), false);
        _auto_general_names_ GENERAL_NAMES *san = NULL;
        X509_EXTENSION *e;

        REQUIRE(req);
        CHECK_INT(X509_REQ_get_version(req), X509_REQ_VERSION_1);
        CHECK_INT(X509_REQ_verify(req, key), 1);
        CHECK_INT(X509_REQ_get_signature_nid(req), NID_ecdsa_with_SHA256);
        check_common_name(req, "example.org");
        CHECK_UINT(count_extensions(req, NID_subject_alt_name, &e), 1);
        REQUIRE(e);
        san = X509V3_EXT_d2i(e);
        X509_EXTENSION_free(e);
        REQUIRE(san);
        REQUIRE(sk_GENERAL_NAME_num(san) == 4);
        CHECK_INT(sk_GENERAL_NAME_value(san, 0)->type, GEN_DNS);
        CHECK_MEM(ASN1_STRING_get0_data(sk_GENERAL_NAME_value(san, 1)->d.dNSName), "*.example.org", 13);
        CHECK_INT(sk_GENERAL_NAME_value(san, 2)->type, GEN_IPADD);
        CHECK_MEM(ASN1_STRING_get0_data(sk_GENERAL_NAME_value(san, 2)->d.iPAddress), "\xc0\x00\x02\x01", 4);
        CHECK_INT(ASN1_STRING_length(sk_GENERAL_NAME_value(san, 3)->d.iPAddress), 16);
}

TEST(common_name) {
        static const struct {
                const char *what;
                const char *first;
                bool used;
        } cases[] = {
                { "63 characters", NAME_63,               true  },
                { "64 characters", "b" NAME_63,           false },
                { "wildcard",      "*.example.org",       true  },
                { "address",       "192.0.2.1",           false },
        };
        _auto_pkey_ EVP_PKEY *key = issue_key();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_x509_req_ X509_REQ *req = make(key, NAMES(cases[i].first, "short.example.org"), false);

                test_case("%s", cases[i].what);
                REQUIRE(req);
                check_common_name(req, cases[i].used ? cases[i].first : NULL);
        }
}

TEST(must_staple) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_req_ X509_REQ *req = make(key, NAMES("example.org"), true);
        X509_EXTENSION *e;

        REQUIRE(req);
        CHECK_UINT(count_extensions(req, NID_tlsfeature, &e), 2);
        REQUIRE(e);
        REQUIRE(ASN1_STRING_length(X509_EXTENSION_get_data(e)) == 5);
        CHECK_MEM(ASN1_STRING_get0_data(X509_EXTENSION_get_data(e)), "\x30\x03\x02\x01\x05", 5);
        CHECK_INT(X509_EXTENSION_get_critical(e), 0);
        X509_EXTENSION_free(e);
}

TEST(every_kind_of_key_signs) {
        EVP_PKEY *keys[] = { issue_rsa_key(), EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
                             EVP_PKEY_Q_keygen(NULL, NULL, "ED448") };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                _auto_pkey_ EVP_PKEY *key = keys[i];
                _auto_x509_req_ X509_REQ *req = make(key, NAMES("example.org"), false);

                test_case("key %zu", i);
                REQUIRE(req);
                CHECK_INT(X509_REQ_verify(req, key), 1);
        }
}

TEST(many_names) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_strv_ char **names = NULL;
        _auto_problem_ Problem *problem = NULL;
        _auto_x509_req_ X509_REQ *req = NULL;
        char *text = NULL;

        for (unsigned i = 0; i < 100; i++)
                REQUIRE(strv_extend(&names, "some-name.example.org") == 0);
        req = make(key, names, false);
        CHECK(req);
        for (unsigned i = 100; i < 10001; i++)
                REQUIRE(strv_extend(&names, "n") == 0);
        CHECK_INT(csr_make(key, names, false, &text, &problem), -EINVAL);
        CHECK(problem && strstr(problem->detail, "10001"));
        CHECK(!text);
}

TEST(names_that_are_none) {
        char too_long[255];
        const char *const bad[] = { "", "a b", "a\nb", "b\xc3\xbc" "cher.example", too_long };
        _auto_pkey_ EVP_PKEY *key = issue_key();
        char *text = NULL;

        memset(too_long, 'a', sizeof(too_long) - 1);
        too_long[254] = '\0';
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _auto_problem_ Problem *problem = NULL;

                test_case("name %zu", i);
                CHECK_INT(csr_make(key, NAMES("example.org", bad[i]), false, &text, &problem), -EINVAL);
                CHECK(problem && strstr(problem->detail, "is no name"));
        }
        test_case("none at all");
        CHECK_INT(csr_make(key, NULL, false, &text, NULL), -EINVAL);
        CHECK(!text);
        CHECK_UINT(ERR_peek_error(), 0);
}
