/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "issue.h"
#include "lib/test.h"

#define _auto_info_ _cleanup_(cert_info_done)

/* The certificate of RFC 9773 appendix A, as far as its identifier is concerned. */
TEST(ari_id_of_rfc9773) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *cert =
                issue(&(Issue){ .key = key, .serial_hex = "87654321", .key_id_hex = "69885b6b87464041e1b37b847ba0ae2cde01c8d4" });
        _auto_info_ CertInfo info = { 0 };

        REQUIRE(cert_info_read(cert, &info) == 0);
        CHECK_STR(info.ari_id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
        CHECK_STR(info.serial, "87654321");
}

TEST(serials) {
        static const struct {
                const char *hex, *serial, *ari;
        } cases[] = {
                { "0",                  "0",                  "AA.AA"          },
                { "1",                  "01",                 "AA.AQ"          },
                { "7f",                 "7F",                 "AA.fw"          },
                { "80",                 "80",                 "AA.AIA"         },
                { "-1",                 "-01",                "AA._w"          },
                { "ABCDEF0123456789",   "ABCDEF0123456789",   "AA.AKvN7wEjRWeJ" },
        };
        _auto_pkey_ EVP_PKEY *key = issue_key();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_x509_ X509 *cert = issue(&(Issue){ .key = key, .serial_hex = cases[i].hex, .key_id_hex = "00" });
                _auto_info_ CertInfo info = { 0 };

                test_case("%s", cases[i].hex);
                REQUIRE(cert_info_read(cert, &info) == 0);
                CHECK_STR(info.serial, cases[i].serial);
                CHECK_STR(info.ari_id, cases[i].ari);
        }
}

TEST(plain_values) {
        _auto_pkey_ EVP_PKEY *ca_key = issue_rsa_key(), *key = issue_key();
        _auto_x509_ X509 *ca = issue(&(Issue){ .key = ca_key, .subject = "Test \x1b[31mCA", .ca = true });
        _auto_x509_ X509 *cert = issue(&(Issue){ .key = key, .issuer = ca, .issuer_key = ca_key, .subject = "example.org",
                                                 .names = NAMES("Example.org", "192.0.2.1"), .ocsp_url = "http://ocsp.example/" });
        _auto_info_ CertInfo info = { 0 }, ca_info = { 0 };
        unsigned char md[EVP_MAX_MD_SIZE];
        unsigned n;

        REQUIRE(cert_info_read(cert, &info) == 0);
        CHECK_STR(info.issuer, "Test ?[31mCA");
        CHECK_STR(info.subject, "example.org");
        CHECK_STR(info.ocsp_url, "http://ocsp.example/");
        CHECK(!info.ari_id);
        CHECK(!info.must_staple);
        CHECK_UINT(info.not_before_usec, ISSUE_NOW_USEC - ISSUE_DAY_USEC);
        CHECK_UINT(info.not_after_usec, ISSUE_NOW_USEC + 60 * ISSUE_DAY_USEC);
        CHECK_INT(info.key_type, KEY_TYPE_EC);
        CHECK_UINT(info.key_bits, 256);
        CHECK_UINT(strv_length(info.names), 2);
        REQUIRE(X509_digest(cert, EVP_sha256(), md, &n) == 1);
        REQUIRE(strlen(info.sha256) == 64);
        for (unsigned i = 0; i < n; i++) {
                char hex[3];

                snprintf(hex, sizeof(hex), "%02x", md[i]);
                CHECK_MEM(info.sha256 + 2 * (size_t) i, hex, 2);
        }

        REQUIRE(cert_info_read(ca, &ca_info) == 0);
        CHECK_INT(ca_info.key_type, KEY_TYPE_RSA);
        CHECK_UINT(ca_info.key_bits, 2048);
        CHECK(!ca_info.names);
        CHECK(!ca_info.ocsp_url);
        CHECK_UINT(ERR_peek_error(), 0);
}

static void name_without_cn(X509 *cert) {
        X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_organizationName, MBSTRING_UTF8, (const unsigned char *) "Some\nOrg", -1, -1, 0);
}

static void name_of_another_kind(X509 *cert) {
        X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_countryName, MBSTRING_ASC, (const unsigned char *) "DE", -1, -1, 0);
}

static void name_with_two_cns(X509 *cert) {
        X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_ASC, (const unsigned char *) "first", -1, -1, 0);
        X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_ASC, (const unsigned char *) "second", -1, -1, 0);
}

TEST(subjects) {
        static const struct {
                void (*change)(X509 *cert);
                const char *subject;
        } cases[] = {
                { NULL,                 ""         },
                { name_without_cn,      "Some Org" },
                { name_of_another_kind, "C=DE"     },
                { name_with_two_cns,    "second"   },
        };
        _auto_pkey_ EVP_PKEY *key = issue_key();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_x509_ X509 *cert = issue(&(Issue){ .key = key, .change = cases[i].change });
                _auto_info_ CertInfo info = { 0 };

                REQUIRE(cert_info_read(cert, &info) == 0);
                CHECK_STR(info.subject, cases[i].subject);
        }
}

#define SECONDS(s) ((uint64_t) (s) * 1000000)

static void no_date(X509 *cert) {
        ASN1_STRING_set(X509_getm_notAfter(cert), "not a date Z", -1);
}

TEST(dates) {
        static const struct {
                const char *what;
                uint64_t not_after_usec;
        } cases[] = {
                { "behind 2038 in UTCTime",         SECONDS(2500000000) },
                { "GeneralizedTime",                SECONDS(2524608000) }, /* 2050-01-01 */
                { "year 9999",                      SECONDS(253402300799) },
        };
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *bad = issue(&(Issue){ .key = key, .change = no_date });
        CertInfo none = { 0 };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_x509_ X509 *cert = issue(&(Issue){ .key = key, .not_after_usec = cases[i].not_after_usec });
                _auto_info_ CertInfo info = { 0 };

                test_case("%s", cases[i].what);
                REQUIRE(cert_info_read(cert, &info) == 0);
                CHECK_UINT(info.not_after_usec, cases[i].not_after_usec);
        }
        test_case("garbage");
        CHECK_INT(cert_info_read(bad, &none), -EBADMSG);
        CHECK(!none.sha256);
        CHECK_UINT(ERR_peek_error(), 0);
}

static void before_the_epoch(X509 *cert) {
        ASN1_TIME_set_string(X509_getm_notBefore(cert), "19500101000000Z");
}

TEST(date_before_the_epoch) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *cert = issue(&(Issue){ .key = key, .change = before_the_epoch });
        _auto_info_ CertInfo info = { 0 };

        REQUIRE(cert_info_read(cert, &info) == 0);
        CHECK_UINT(info.not_before_usec, 1);
}

#define DER(bytes) (const uint8_t *) bytes, sizeof(bytes) - 1

TEST(must_staple) {
        static const struct {
                const char *what;
                const uint8_t *der;
                size_t size;
                int result;
                bool must_staple;
        } cases[] = {
                { "status_request",         DER("\x30\x03\x02\x01\x05"),             0,        true  },
                { "v2 only",                DER("\x30\x03\x02\x01\x11"),             0,        false },
                { "both",                   DER("\x30\x06\x02\x01\x11\x02\x01\x05"), 0,        true  },
                { "empty list",             DER("\x30\x00"),                         0,        false },
                { "garbage",                DER("\x02\x01"),                         -EBADMSG, false },
                { "huge number",            DER("\x30\x0b\x02\x09\x01\x00\x00\x00\x00\x00\x00\x00\x05"), 0, false },
        };
        _auto_pkey_ EVP_PKEY *key = issue_key();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_x509_ X509 *cert = issue(&(Issue){ .key = key, .tls_feature = cases[i].der, .tls_feature_size = cases[i].size });
                _auto_info_ CertInfo info = { 0 };

                test_case("%s", cases[i].what);
                CHECK_INT(cert_info_read(cert, &info), cases[i].result);
                CHECK(info.must_staple == cases[i].must_staple);
        }
        CHECK_UINT(ERR_peek_error(), 0);
}

TEST(ocsp_urls) {
        static const struct {
                const char *url;
                bool used;
        } cases[] = {
                { "http://ocsp.example/a",  true  },
                { "HTTPS://ocsp.example/a", true  },
                { "ldap://ocsp.example/a",  false },
                { "http://a b/",            false },
                { "file:///etc/passwd",     false },
        };
        _auto_pkey_ EVP_PKEY *key = issue_key();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_x509_ X509 *cert = issue(&(Issue){ .key = key, .ocsp_url = cases[i].url });
                _auto_info_ CertInfo info = { 0 };

                test_case("%s", cases[i].url);
                REQUIRE(cert_info_read(cert, &info) == 0);
                CHECK_STR(info.ocsp_url, cases[i].used ? cases[i].url : NULL);
        }
}

TEST(crl_urls) {
        static const struct {
                const char *what, *points, *url;
        } cases[] = {
                { "one", "URI:http://crl.example/1", "http://crl.example/1" },
                { "the first by HTTP", "URI:ldap://crl.example/1,URI:https://crl.example/2", "https://crl.example/2" },
                { "none by HTTP", "URI:ldap://crl.example/1", NULL },
                { "with a blank", "URI:http://crl example/1", NULL },
                { "for some reasons only", "part", NULL },
                { "signed by somebody else", "other", NULL },
                { "garbled", "DER:040100", "garbled" },
        };
        static const char config[] = "[part]\nfullname=URI:http://crl.example/1\nreasons=keyCompromise\n"
                                     "[other]\nfullname=URI:http://crl.example/1\nCRLissuer=dirName:who\n[who]\nCN=Somebody\n";
        _auto_bio_ BIO *bio = BIO_new_mem_buf(config, -1);
        _auto_pkey_ EVP_PKEY *key = issue_key();
        CONF *conf = NCONF_new(NULL);
        X509V3_CTX context;

        REQUIRE(NCONF_load_bio(conf, bio, NULL) == 1);
        X509V3_set_ctx(&context, NULL, NULL, NULL, NULL, 0);
        X509V3_set_nconf(&context, conf);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                X509_EXTENSION *e = X509V3_EXT_nconf_nid(conf, &context, NID_crl_distribution_points, cases[i].points);
                _auto_x509_ X509 *cert = issue(&(Issue){ .key = key });
                _auto_info_ CertInfo info = { 0 };

                test_case("%s", cases[i].what);
                REQUIRE(e && X509_add_ext(cert, e, -1) == 1);
                X509_EXTENSION_free(e);
                if (!CHECK_INT(cert_info_read(cert, &info), cases[i].url && strcmp(cases[i].url, "garbled") == 0 ? -EBADMSG : 0) || !info.ocsp_id)
                        continue;
                CHECK_STR(info.crl_url, cases[i].url);
                CHECK_UINT(strlen(info.ocsp_id), 40);
        }
        NCONF_free(conf);
        CHECK_UINT(ERR_peek_error(), 0);
}

TEST(nul_byte_in_a_name) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_general_names_ GENERAL_NAMES *san = sk_GENERAL_NAME_new_null();
        _auto_x509_ X509 *cert = NULL;
        CertInfo info = { 0 };

        issue_add_dns(san, "example.org\0.evil.example", 25);
        cert = issue(&(Issue){ .key = key, .san = san });
        CHECK_INT(cert_info_read(cert, &info), -EBADMSG);
        CHECK(!info.names && !info.issuer);
}

TEST(serial_of_great_size) {
        char hex[131];
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *cert = NULL;
        CertInfo info = { 0 };

        memset(hex, '1', sizeof(hex) - 1);
        hex[130] = '\0';
        cert = issue(&(Issue){ .key = key, .serial_hex = hex });
        CHECK_INT(cert_info_read(cert, &info), -EBADMSG);
}

TEST(key_of_certificate) {
        _auto_pkey_ EVP_PKEY *key = issue_key(), *other = issue_key(), *rsa = issue_rsa_key();
        _auto_x509_ X509 *cert = issue(&(Issue){ .key = key });

        CHECK(cert_matches_key(cert, key));
        CHECK(!cert_matches_key(cert, other));
        CHECK(!cert_matches_key(cert, rsa));
        CHECK_UINT(ERR_peek_error(), 0);
}

TEST(self_signed) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *cert = NULL, *second = NULL;
        _auto_info_ CertInfo info = { 0 }, second_info = { 0 };

        REQUIRE(cert_make_self_signed(key, "Fallback", NAMES("example.org", "www.example.org"), ISSUE_NOW_USEC,
                                      ISSUE_NOW_USEC + 14 * ISSUE_DAY_USEC, &cert) == 0);
        REQUIRE(cert_make_self_signed(key, NULL, NAMES("example.org"), ISSUE_NOW_USEC, ISSUE_NOW_USEC + 1, &second) == 0);
        REQUIRE(cert_info_read(cert, &info) == 0);
        REQUIRE(cert_info_read(second, &second_info) == 0);
        CHECK_INT(X509_get_version(cert), X509_VERSION_3);
        CHECK_INT(X509_verify(cert, key), 1);
        CHECK_STR(info.subject, "Fallback");
        CHECK_STR(info.issuer, "Fallback");
        CHECK_STR(second_info.subject, "example.org");
        CHECK_UINT(strv_length(info.names), 2);
        CHECK_UINT(info.not_before_usec, ISSUE_NOW_USEC);
        CHECK_UINT(info.not_after_usec, ISSUE_NOW_USEC + 14 * ISSUE_DAY_USEC);
        CHECK_INT(X509_check_ca(cert), 0);
        CHECK_UINT(X509_get_extended_key_usage(cert), XKU_SSL_SERVER);
        CHECK(X509_get_extension_flags(cert) & EXFLAG_BCONS);
        CHECK_UINT(strlen(info.serial), 40);
        CHECK(!str_equal(info.serial, second_info.serial));
        CHECK_INT(X509_check_host(cert, "www.example.org", 0, 0, NULL), 1);
        CHECK_UINT(ERR_peek_error(), 0);
}

/* As a visitor gets it: written down and read again. */
static void check_changed(const X509 *cert, const CertInfo *before) {
        _auto_cert_chain_ CertChain written = { .n = 1, .certs = { (X509 *) cert } }, chain = { 0 };
        _auto_info_ CertInfo info = { 0 };
        _auto_free_ char *pem = NULL;

        X509_up_ref((X509 *) cert);
        REQUIRE(cert_chain_to_pem(&written, &pem) == 0 && cert_chain_from_pem(pem, strlen(pem), &chain, NULL) == 0);
        REQUIRE(cert_info_read(chain.certs[0], &info) == 0);
        CHECK_INT(X509_verify(chain.certs[0], X509_get0_pubkey(chain.certs[0])), 1);
        CHECK_STR(info.subject, before->subject);
        CHECK_UINT(info.not_before_usec, before->not_before_usec);
        CHECK_UINT(info.not_after_usec, before->not_after_usec);
        CHECK(!str_equal(info.serial, before->serial));
        CHECK_UINT(strv_length(info.names), 3);
        CHECK_INT(X509_check_host(chain.certs[0], "b.example.net", 0, 0, NULL), 1);
        CHECK_INT(X509_check_host(chain.certs[0], "example.org", 0, 0, NULL), 0);
        CHECK_INT(X509_check_ca(chain.certs[0]), 0);
        CHECK_UINT(X509_get_extended_key_usage(chain.certs[0]), XKU_SSL_SERVER);
        CHECK_INT(X509_get_ext_count(chain.certs[0]), 3);
}

TEST(self_signed_changed) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *cert = NULL;
        _auto_info_ CertInfo before = { 0 };

        REQUIRE(cert_make_self_signed(key, "Fallback", NAMES("example.org", "www.example.org"), ISSUE_NOW_USEC, ISSUE_NOW_USEC + ISSUE_DAY_USEC, &cert) == 0);
        REQUIRE(cert_info_read(cert, &before) == 0);
        for (unsigned i = 0; i < 3; i++) {
                REQUIRE(cert_change_self_signed(cert, key, NAMES("a.example.net", "b.example.net", "c.example.net")) == 0);
                check_changed(cert, &before);
        }
        CHECK_INT(cert_change_self_signed(cert, key, NAMES("a b")), -EINVAL);
        CHECK_INT(cert_change_self_signed(cert, key, NULL), -EINVAL);
        CHECK_UINT(ERR_peek_error(), 0);
}

TEST(self_signed_by_every_kind_of_key) {
        EVP_PKEY *keys[] = { issue_rsa_key(), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384") };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                _auto_pkey_ EVP_PKEY *key = keys[i];
                _auto_x509_ X509 *cert = NULL;

                test_case("key %zu", i);
                REQUIRE(cert_make_self_signed(key, NULL, NAMES("example.org"), ISSUE_NOW_USEC, ISSUE_NOW_USEC + ISSUE_DAY_USEC, &cert) == 0);
                CHECK_INT(X509_verify(cert, key), 1);
        }
}

TEST(self_signed_without_common_name) {
        static const char *const name = "a-name-that-is-much-too-long-for-a-common-name.some-domain.example.org";
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *cert = NULL;
        int critical = 0;

        REQUIRE(cert_make_self_signed(key, name, NAMES(name), ISSUE_NOW_USEC, ISSUE_NOW_USEC + ISSUE_DAY_USEC, &cert) == 0);
        CHECK_INT(X509_NAME_entry_count(X509_get_subject_name(cert)), 0);
        GENERAL_NAMES_free(X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL));
        CHECK_INT(critical, 1);
}

TEST(self_signed_refused) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        X509 *cert = NULL;

        CHECK_INT(cert_make_self_signed(key, NULL, NULL, 1, 2, &cert), -EINVAL);
        CHECK_INT(cert_make_self_signed(key, NULL, NAMES("a b"), 1, 2, &cert), -EINVAL);
        CHECK_INT(cert_make_self_signed(key, NULL, NAMES("example.org"), 2, 2, &cert), -EINVAL);
        CHECK(!cert);
}
