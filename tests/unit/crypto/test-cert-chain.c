/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "issue.h"
#include "lib/test.h"

/* A root, an intermediate, and keys for a leaf. */
typedef struct Ca {
        EVP_PKEY *root_key, *key, *leaf_key, *other_key;
        X509 *root, *intermediate;
} Ca;

static Ca ca_make(void) {
        Ca ca = { .root_key = issue_key(), .key = issue_key(), .leaf_key = issue_key(), .other_key = issue_key() };

        ca.root = issue(&(Issue){ .key = ca.root_key, .subject = "Root", .ca = true });
        ca.intermediate =
                issue(&(Issue){ .key = ca.key, .issuer = ca.root, .issuer_key = ca.root_key, .subject = "Intermediate", .ca = true });
        return ca;
}

static void ca_done(Ca *ca) {
        X509_free(ca->root);
        X509_free(ca->intermediate);
        EVP_PKEY_free(ca->root_key);
        EVP_PKEY_free(ca->key);
        EVP_PKEY_free(ca->leaf_key);
        EVP_PKEY_free(ca->other_key);
}
#define _auto_ca_ _cleanup_(ca_done)

static X509 *leaf(const Ca *ca, const Issue *i) {
        Issue full = *i;

        if (!full.key)
                full.key = ca->leaf_key;
        full.issuer = ca->intermediate;
        full.issuer_key = ca->key;
        if (!full.subject)
                full.subject = "leaf";
        return issue(&full);
}

static void add(CertChain *c, X509 *cert) {
        X509_up_ref(cert);
        c->certs[c->n++] = cert;
}

static void check_verdict(const Ca *ca, const CertChain *c, const CertExpectation *expected, const char *says) {
        _auto_problem_ Problem *problem = NULL;
        int r = cert_chain_verify(c, expected, &problem);

        CHECK_UINT(ERR_peek_error(), 0);
        if (!says) {
                CHECK_INT(r, 0);
                CHECK_STR(problem ? problem->detail : NULL, NULL);
                return;
        }
        CHECK_INT(r, -EBADMSG);
        CHECK_INT(cert_chain_verify(c, expected, NULL), -EBADMSG);
        REQUIRE(problem);
        CHECK_STR(problem->type, PROBLEM_TYPE_CHAIN);
        if (!strstr(problem->detail, says))
                CHECK_STR(problem->detail, says);
}

static CertExpectation expect(const Ca *ca, char *const *names) {
        return (CertExpectation){ .key = ca->leaf_key, .names = names, .now_usec = ISSUE_NOW_USEC };
}

TEST(names) {
        static const struct {
                const char *what;
                const char *have[5], *want[5];
                const char *says; /* NULL: good */
        } cases[] = {
                { "one",                        { "a.example" },                  { "a.example" },                NULL },
                { "case",                       { "A.Example" },                  { "a.eXample" },                NULL },
                { "any order",                  { "b.example", "a.example" },     { "a.example", "b.example" },   NULL },
                { "twice",                      { "a.example", "a.example" },     { "a.example" },                NULL },
                { "wildcard",                   { "*.a.example" },                { "*.a.example" },              NULL },
                { "covered by wildcard",        { "*.a.example" },                { "*.a.example", "b.a.example" }, NULL },
                { "address",                    { "192.0.2.1", "2001:db8::1" },   { "2001:DB8:0::1", "192.0.2.1" }, NULL },
                { "one missing",                { "a.example" },                  { "a.example", "b.example" },   "not valid for b.example" },
                { "two missing",                { "a.example" },  { "c.example", "b.example", "a.example" },      "not valid for c.example, b.example" },
                { "one extra",                  { "a.example", "evil.example" },  { "a.example" },                "not ordered: evil.example" },
                { "other",                      { "b.example" },                  { "a.example" },                "not valid for a.example" },
                { "wildcard instead of name",   { "*.example" },                  { "a.example" },                "not ordered: *.example" },
                { "wildcard and its parent",    { "*.a.example" },                { "*.a.example", "a.example" }, "not valid for a.example" },
                { "wildcard two labels up",     { "*.a.example" },                { "*.a.example", "c.b.a.example" }, "not valid for c.b.a.example" },
                { "wildcard inside a label",    { "a*.example" },                 { "ab.example" },               "not valid for ab.example" },
                { "name instead of wildcard",   { "a.example" },                  { "*.example" },                "not valid for *.example" },
                { "suffix",                     { "a.example.evil" },             { "a.example" },                "not valid for a.example" },
                { "address by wildcard",        { "*.0.2.1" },                    { "*.0.2.1", "192.0.2.1" },     "not valid for 192.0.2.1" },
                { "no names",                   { NULL },                         { "a.example" },                "not valid for a.example" },
        };
        _auto_ca_ Ca ca = ca_make();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_cert_chain_ CertChain c = { 0 };
                char *const *have = (char *const *) cases[i].have;
                CertExpectation expected = expect(&ca, (char *const *) cases[i].want);

                test_case("%s", cases[i].what);
                c.certs[c.n++] = leaf(&ca, &(Issue){ .names = *have ? have : NULL });
                add(&c, ca.intermediate);
                check_verdict(&ca, &c, &expected, cases[i].says);
        }
}

TEST(many_names_are_counted_not_told) {
        _auto_ca_ Ca ca = ca_make();
        _auto_strv_ char **names = NULL;
        _auto_cert_chain_ CertChain c = { 0 };
        CertExpectation expected = expect(&ca, NAMES("n0.example"));

        for (unsigned i = 0; i < 1000; i++)
                REQUIRE(strv_consume(&names, str_printf("n%u.example", i)) == 0);
        c.certs[c.n++] = leaf(&ca, &(Issue){ .names = names });
        check_verdict(&ca, &c, &expected, "not ordered: n1.example, n2.example, n3.example, n4.example, n5.example and 994 more");
        expected.names = names;
        check_verdict(&ca, &c, &expected, NULL);
}

TEST(names_that_are_none) {
        _auto_ca_ Ca ca = ca_make();
        _auto_cert_chain_ CertChain nul = { 0 }, mail = { 0 };
        _auto_general_names_ GENERAL_NAMES *with_nul = sk_GENERAL_NAME_new_null(), *with_mail = sk_GENERAL_NAME_new_null();
        CertExpectation expected = expect(&ca, NAMES("a.example"));

        test_case("NUL byte");
        issue_add_dns(with_nul, "a.example\0.evil.example", 23);
        nul.certs[nul.n++] = leaf(&ca, &(Issue){ .san = with_nul });
        check_verdict(&ca, &nul, &expected, "cannot be believed");

        test_case("mail address");
        issue_add_dns(with_mail, "a.example", 9);
        issue_add_dns(with_mail, "a@b.example", 11);
        sk_GENERAL_NAME_value(with_mail, 1)->type = GEN_EMAIL;
        mail.certs[mail.n++] = leaf(&ca, &(Issue){ .san = with_mail });
        check_verdict(&ca, &mail, &expected, "1 names that are neither");
}

TEST(dates) {
        static const struct {
                const char *what;
                int64_t from_days, to_days; /* from now; 0 is now */
                const char *says;
        } cases[] = {
                { "good",                       -1, 60, NULL               },
                { "begins now",                 0,  60, NULL               },
                { "begins in a day",            1,  60, NULL               },
                { "begins in two days",         2,  60, "not valid before" },
                { "ended yesterday",            -9, -1, "expired"          },
                { "ends now",                   -9, 0,  "expired"          },
                { "ends before it begins",      1,  -1, "before it begins" },
        };
        _auto_ca_ Ca ca = ca_make();
        CertExpectation expected = expect(&ca, NAMES("a.example"));

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_cert_chain_ CertChain c = { 0 };

                test_case("%s", cases[i].what);
                c.certs[c.n++] = leaf(&ca, &(Issue){ .names = NAMES("a.example"),
                                                     .not_before_usec = ISSUE_NOW_USEC + (uint64_t) cases[i].from_days * ISSUE_DAY_USEC,
                                                     .not_after_usec = ISSUE_NOW_USEC + (uint64_t) cases[i].to_days * ISSUE_DAY_USEC });
                check_verdict(&ca, &c, &expected, cases[i].says);
        }
}

TEST(key_and_kind) {
        _auto_ca_ Ca ca = ca_make();
        _auto_cert_chain_ CertChain other = { 0 }, authority = { 0 };
        CertExpectation expected = expect(&ca, NAMES("a.example"));

        test_case("other key");
        other.certs[other.n++] = leaf(&ca, &(Issue){ .key = ca.other_key, .names = NAMES("a.example") });
        check_verdict(&ca, &other, &expected, "another key");

        test_case("CA");
        authority.certs[authority.n++] = leaf(&ca, &(Issue){ .names = NAMES("a.example"), .ca = true });
        check_verdict(&ca, &authority, &expected, "is a CA's");
}

static void spoil(X509 *cert) {
        issue_add_der(cert, NID_key_usage, "\x30\x7f", 2);
}

TEST(garbled_extension) {
        _auto_ca_ Ca ca = ca_make();
        _auto_cert_chain_ CertChain c = { 0 };
        CertExpectation expected = expect(&ca, NAMES("a.example"));

        c.certs[c.n++] = leaf(&ca, &(Issue){ .names = NAMES("a.example"), .change = spoil });
        check_verdict(&ca, &c, &expected, "cannot be read");
}

TEST(must_staple) {
        static const uint8_t feature[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };
        _auto_ca_ Ca ca = ca_make();
        _auto_cert_chain_ CertChain with = { 0 }, without = { 0 };
        CertExpectation plain = expect(&ca, NAMES("a.example")), wanted = plain;

        wanted.must_staple = true;
        with.certs[with.n++] = leaf(&ca, &(Issue){ .names = NAMES("a.example"), .tls_feature = feature, .tls_feature_size = sizeof(feature) });
        without.certs[without.n++] = leaf(&ca, &(Issue){ .names = NAMES("a.example") });
        check_verdict(&ca, &with, &wanted, NULL);
        check_verdict(&ca, &with, &plain, NULL);
        check_verdict(&ca, &without, &plain, NULL);
        check_verdict(&ca, &without, &wanted, "must-staple");
}

TEST(links) {
        _auto_ca_ Ca ca = ca_make(), stranger = ca_make();
        _auto_x509_ X509 *l = leaf(&ca, &(Issue){ .names = NAMES("a.example") });
        struct {
                const char *what;
                X509 *chain[4];
                const char *says;
        } cases[] = {
                { "leaf alone",                 { l },                                          NULL },
                { "leaf and intermediate",      { l, ca.intermediate },                         NULL },
                { "with root",                  { l, ca.intermediate, ca.root },                NULL },
                { "intermediate left out",      { l, ca.root },                                 "Certificate 1 of the chain (leaf) is not signed by the one that follows (Root)" },
                { "wrong order",                { l, ca.root, ca.intermediate },                "Certificate 1" },
                { "leaf twice",                 { l, l },                                       "Certificate 1" },
                { "leaf last",                  { ca.intermediate, l },                         "another key" },
                { "same name, other key",       { l, stranger.intermediate },                   "Certificate 1" },
                { "stranger's root",            { l, ca.intermediate, stranger.root },          "Certificate 2 of the chain (Intermediate)" },
                { "empty",                      { NULL },                                       "empty" },
        };
        CertExpectation expected = expect(&ca, NAMES("a.example"));

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_cert_chain_ CertChain c = { 0 };

                test_case("%s", cases[i].what);
                for (size_t k = 0; k < ELEMENTSOF(cases[i].chain) && cases[i].chain[k]; k++)
                        add(&c, cases[i].chain[k]);
                check_verdict(&ca, &c, &expected, cases[i].says);
        }
}

TEST(foreign_text_in_problems_is_printable) {
        _auto_ca_ Ca ca = ca_make();
        _auto_cert_chain_ CertChain c = { 0 };
        _auto_problem_ Problem *problem = NULL;
        CertExpectation expected = expect(&ca, NAMES("a.example"));

        c.certs[c.n++] = leaf(&ca, &(Issue){ .names = NAMES("a.example"), .subject = "\x1b]0;owned\x07" });
        add(&c, ca.root);
        CHECK_INT(cert_chain_verify(&c, &expected, &problem), -EBADMSG);
        REQUIRE(problem);
        CHECK(!strpbrk(problem->detail, "\x1b\x07"));
        CHECK(strstr(problem->detail, "?]0;owned?"));
}

/* PEM */

static char *pem_of(const CertChain *c) {
        char *text = NULL;

        return cert_chain_to_pem(c, &text) == 0 ? text : NULL;
}

TEST(pem_round_trip) {
        _auto_ca_ Ca ca = ca_make();
        _auto_cert_chain_ CertChain c = { 0 }, again = { 0 };
        _auto_free_ char *pem = NULL, *second = NULL, *text = NULL;

        c.certs[c.n++] = leaf(&ca, &(Issue){ .names = NAMES("a.example") });
        add(&c, ca.intermediate);
        pem = pem_of(&c);
        REQUIRE(pem);
        text = str_printf("Here is the chain:\r\n\n%s\nand that was it", pem);
        REQUIRE(cert_chain_from_pem(text, strlen(text), &again, NULL) == 0);
        CHECK_UINT(again.n, 2);
        second = pem_of(&again);
        CHECK_STR(second, pem);
        CHECK_UINT(ERR_peek_error(), 0);
}

static void check_refused(const char *pem, size_t size, const char *says) {
        CertChain c = { 0 };
        _auto_problem_ Problem *problem = NULL;

        CHECK_INT(cert_chain_from_pem(pem, size, &c, &problem), -EBADMSG);
        CHECK_UINT(c.n, 0);
        CHECK_UINT(ERR_peek_error(), 0);
        REQUIRE(problem);
        CHECK_STR(problem->type, PROBLEM_TYPE_CHAIN);
        if (!strstr(problem->detail, says))
                CHECK_STR(problem->detail, says);
}

TEST(pem_that_is_no_chain) {
        static const struct {
                const char *pem, *says;
        } cases[] = {
                { "",                                                                             "no certificate in PEM"                 },
                { "<html>no</html>",                                                              "no certificate in PEM"                 },
                { "-----BEGIN CERTIFICATE-----\n",                                                "no PEM"                                },
                { "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",               "no PEM"                                },
                { "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",               "Certificate 1 of the chain cannot be read" },
                { "-----BEGIN CERTIFICATE-----\nAAAA\n-----END X509 CRL-----\n",                  "no PEM"                                },
                { "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",                     "Block 1 of the chain is 'X509 CRL'"    },
                { "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n", "is 'TRUSTED CERTIFICATE'"            },
                { "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",               "is 'PRIVATE KEY'"                      },
                { "-----BEGIN A\x1b[31mB-----\nAAAA\n-----END A\x1b[31mB-----\n",                 "is 'A?[31mB'"                          },
                { "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END CERTIFICATE-----\n", "header lines"              },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("'%s'", cases[i].pem);
                check_refused(cases[i].pem, strlen(cases[i].pem), cases[i].says);
        }
}

TEST(pem_of_a_good_one_and_another_kind) {
        _auto_ca_ Ca ca = ca_make();
        _auto_cert_chain_ CertChain c = { 0 };
        _auto_free_ char *pem = NULL, *text = NULL;

        add(&c, ca.root);
        pem = pem_of(&c);
        text = str_printf("%s-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", pem);
        check_refused(text, strlen(text), "Block 2 of the chain is 'PUBLIC KEY'");
}

TEST(pem_with_trailing_bytes) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *cert = issue(&(Issue){ .key = key });
        _auto_bio_ BIO *bio = BIO_new(BIO_s_mem());
        _auto_free_ unsigned char *der = NULL;
        unsigned char *p;
        char *data;
        int n = i2d_X509(cert, NULL);
        long size;

        der = calloc(1, (size_t) n + 1);
        REQUIRE(der);
        p = der;
        i2d_X509(cert, &p);
        REQUIRE(PEM_write_bio(bio, PEM_STRING_X509, "", der, n + 1) > 0);
        size = BIO_get_mem_data(bio, &data);
        check_refused(data, (size_t) size, "followed by other bytes");
}

/* What servers are given as one file. */
TEST(leaf_among_others) {
        _auto_ca_ Ca ca = ca_make();
        _auto_x509_ X509 *cert = leaf(&ca, &(Issue){ 0 });
        _auto_pkey_ EVP_PKEY *parameters = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        enum { KEY = 1, PARAMETERS = 2, TRUSTED = 4 };
        static const struct {
                const char *what;
                unsigned before, behind;
        } cases[] = {
                { "alone",                    0,                0                },
                { "a key in front",           KEY,              0                },
                { "a key behind",             0,                KEY              },
                { "parameters on both sides", PARAMETERS,       KEY | PARAMETERS },
                { "trusted",                  KEY | TRUSTED,    0                },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_bio_ BIO *bio = BIO_new(BIO_s_mem());
                _auto_x509_ X509 *found = NULL;
                char *data;
                long n;

                test_case("%s", cases[i].what);
                for (int behind = 0; behind <= 1; behind++) {
                        unsigned what = behind ? cases[i].behind : cases[i].before;

                        if (what & KEY)
                                REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio, ca.leaf_key, NULL, NULL, 0, NULL, NULL) == 1);
                        if (what & PARAMETERS)
                                REQUIRE(PEM_write_bio_Parameters(bio, parameters) == 1);
                        if (!behind && (what & TRUSTED))
                                REQUIRE(PEM_write_bio_X509_AUX(bio, cert) == 1);
                        else if (!behind)
                                REQUIRE(PEM_write_bio_X509(bio, cert) == 1);
                }
                REQUIRE(PEM_write_bio_X509(bio, ca.intermediate) == 1);
                n = BIO_get_mem_data(bio, &data);
                REQUIRE(cert_leaf_from_pem(data, (size_t) n, &found, NULL) == 0);
                CHECK_INT(X509_cmp(found, cert), 0);
                CHECK_UINT(ERR_peek_error(), 0);
        }
}

TEST(leaf_that_is_not_there) {
        static const char *const texts[] = { "", "garbage", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _auto_problem_ Problem *problem = NULL;
                X509 *found = NULL;

                test_case("'%s'", texts[i]);
                CHECK_INT(cert_leaf_from_pem(texts[i], strlen(texts[i]), &found, &problem), -EBADMSG);
                CHECK(problem && !found);
                CHECK_UINT(ERR_peek_error(), 0);
        }
}

TEST(pem_with_many_certificates) {
        _auto_ca_ Ca ca = ca_make();
        _auto_cert_chain_ CertChain c = { 0 }, full = { 0 };
        _auto_free_ char *pem = NULL, *one = NULL, *text = NULL;
        CertChain single = { .certs = { ca.root }, .n = 1 };

        for (size_t i = 0; i < CERT_CHAIN_MAX; i++)
                add(&c, ca.root);
        pem = pem_of(&c);
        one = pem_of(&single);
        CHECK_INT(cert_chain_from_pem(pem, strlen(pem), &full, NULL), 0);
        CHECK_UINT(full.n, CERT_CHAIN_MAX);
        text = str_printf("%s%s", pem, one);
        check_refused(text, strlen(text), "more than 16");
}

TEST(pem_of_great_size) {
        size_t size = CERT_PEM_MAX + 1;
        _auto_free_ char *pem = malloc(size);

        REQUIRE(pem);
        memset(pem, 'A', size);
        check_refused(pem, size, "1048577 bytes");
        check_refused(pem, size - 1, "no certificate in PEM");
        memset(pem, '\n', size);
        check_refused(pem, size - 1, "no certificate in PEM");
        memset(pem, '\0', size);
        check_refused(pem, size - 1, "no certificate in PEM");
}

TEST(pem_torn_anywhere) {
        _auto_ca_ Ca ca = ca_make();
        CertChain single = { .certs = { ca.root }, .n = 1 };
        _auto_free_ char *pem = pem_of(&single);
        size_t size = strlen(pem);

        for (size_t n = 0; n + 2 < size; n++) {
                _auto_free_ char *torn = malloc(n + 1);

                test_case("%zu bytes", n);
                REQUIRE(torn);
                memcpy(torn, pem, n);
                check_refused(torn, n, " PEM");
        }
}

/* One byte of the DER is changed, everywhere: nothing may crash, and what is still read must be readable to the end. */
TEST(flipped_bytes) {
        _auto_ca_ Ca ca = ca_make();
        _auto_x509_ X509 *cert = leaf(&ca, &(Issue){ .names = NAMES("a.example", "192.0.2.1"), .key_id_hex = "0102", .ocsp_url = "http://o.example/" });
        _auto_openssl_ uint8_t *der = NULL;
        int n = i2d_X509(cert, &der);
        CertExpectation expected = expect(&ca, NAMES("a.example", "192.0.2.1"));

        REQUIRE(n > 0);
        for (int i = 0; i < n * 8; i++) {
                _auto_cert_chain_ CertChain c = { 0 };
                _auto_problem_ Problem *problem = NULL;
                const uint8_t *p = der;

                der[i / 8] ^= (uint8_t) (1 << i % 8);
                c.certs[0] = d2i_X509(NULL, &p, n);
                der[i / 8] ^= (uint8_t) (1 << i % 8);
                if (!c.certs[0])
                        continue;
                c.n = 1;
                add(&c, ca.intermediate);
                test_case("bit %d", i);
                CHECK_INT(cert_chain_verify(&c, &expected, &problem), -EBADMSG);
                CHECK(problem);
        }
        ERR_clear_error();
}
