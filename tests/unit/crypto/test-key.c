/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "base/cleanup.h"
#include "crypto/cert.h"
#include "issue.h"
#include "lib/test.h"

static KeySpec ec(const char *curve) {
        KeySpec spec = { .type = KEY_TYPE_EC };

        strncpy(spec.curve, curve, sizeof(spec.curve) - 1);
        return spec;
}

static const struct {
        const char *curve;
        const char *type;   /* NULL: refused */
        int bits;
} curves[] = {
        { "P-256",            "EC",      256 },
        { "secp256r1",        "EC",      256 },
        { "prime256v1",       "EC",      256 },
        { "SECP256R1",        "EC",      256 },
        { "P-384",            "EC",      384 },
        { "secp384r1",        "EC",      384 },
        { "SecP384r1",        "EC",      384 },
        { "p-521",            "EC",      521 },
        { "secp521r1",        "EC",      521 },
        { "Ed25519",          "ED25519", 256 },
        { "ed448",            "ED448",   456 },
        { "X25519",           NULL           },
        { "x448",             NULL           },
        { "SM2",              NULL           },
        { "",                 NULL           },
        { "P-255",            NULL           },
        { "RSA",              NULL           },
        { "no such curve at all",             NULL },
        { "1.2.840.10045.3.1.7 and \x1b[31m", NULL },
};

TEST(curves) {
        for (size_t i = 0; i < ELEMENTSOF(curves); i++) {
                _auto_pkey_ EVP_PKEY *key = NULL;
                _auto_problem_ Problem *problem = NULL;
                KeySpec spec = ec(curves[i].curve);
                int r;

                test_case("curve '%s'", curves[i].curve);
                r = key_make(&spec, &key, &problem);
                CHECK_UINT(ERR_peek_error(), 0);
                if (!curves[i].type) {
                        CHECK_INT(r, -EINVAL);
                        CHECK(!key);
                        REQUIRE(problem);
                        CHECK_STR(problem->type, PROBLEM_TYPE_SETTING);
                        CHECK(!strchr(problem->detail, '\x1b'));
                        continue;
                }
                CHECK_INT(r, 0);
                REQUIRE(key);
                CHECK(!problem);
                CHECK(EVP_PKEY_is_a(key, curves[i].type));
                CHECK_INT(EVP_PKEY_get_bits(key), curves[i].bits);
                CHECK(key_matches_spec(key, &spec));
        }
}

TEST(problem_names_the_curve) {
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_problem_ Problem *problem = NULL;
        KeySpec spec = ec("P-255");

        CHECK_INT(key_make(&spec, &key, &problem), -EINVAL);
        REQUIRE(problem);
        CHECK_STR(problem->detail, "OpenSSL knows no elliptic curve 'P-255'");
        CHECK_INT(key_make(&spec, &key, NULL), -EINVAL);
}

TEST(curve_without_end) {
        _auto_pkey_ EVP_PKEY *key = NULL, *other = issue_key();
        _auto_problem_ Problem *problem = NULL;
        KeySpec spec = { .type = KEY_TYPE_EC };

        memset(spec.curve, 'x', sizeof(spec.curve));
        CHECK_INT(key_make(&spec, &key, &problem), -EINVAL);
        CHECK(!key_matches_spec(other, &spec));
}

TEST(rsa_bits) {
        static const unsigned refused[] = { 1, 512, 1024, 2047, 16385, UINT32_MAX };
        _auto_pkey_ EVP_PKEY *key = NULL;
        KeySpec spec = { .type = KEY_TYPE_RSA };

        for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
                _auto_problem_ Problem *problem = NULL;

                test_case("%u bits", refused[i]);
                spec.bits = refused[i];
                CHECK_INT(key_make(&spec, &key, &problem), -EINVAL);
                CHECK(problem && strstr(problem->detail, "2048 to 16384"));
        }
        test_case("default");
        CHECK_INT(key_make(&(KeySpec){ 0 }, &key, NULL), 0);
        REQUIRE(key);
        CHECK(EVP_PKEY_is_a(key, "RSA"));
        CHECK_INT(EVP_PKEY_get_bits(key), 2048);
        CHECK(key_matches_spec(key, &(KeySpec){ .type = KEY_TYPE_DEFAULT }));
        CHECK(key_matches_spec(key, &(KeySpec){ .type = KEY_TYPE_RSA }));
        CHECK(key_matches_spec(key, &(KeySpec){ .type = KEY_TYPE_RSA, .bits = 2048 }));
        CHECK(!key_matches_spec(key, &(KeySpec){ .type = KEY_TYPE_RSA, .bits = 3072 }));
}

TEST(spec_tells_curves_apart) {
        static const struct {
                const char *curve;
                bool matches;
        } cases[] = {
                { "P-256",      true  },
                { "p-256",      true  },
                { "secp256r1",  true  },
                { "prime256v1", true  },
                { "P-384",      false },
                { "secp256k1",  false },
                { "Ed25519",    false },
                { "X25519",     false },
                { "nonsense",   false },
                { "",           false },
        };
        _auto_pkey_ EVP_PKEY *key = issue_key(), *rsa = issue_rsa_key();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                KeySpec spec = ec(cases[i].curve);

                test_case("curve '%s'", cases[i].curve);
                CHECK(key_matches_spec(key, &spec) == cases[i].matches);
                CHECK(!key_matches_spec(rsa, &spec));
        }
        CHECK(!key_matches_spec(key, &(KeySpec){ .type = KEY_TYPE_DEFAULT }));
        CHECK(!key_matches_spec(key, &(KeySpec){ .type = KEY_TYPE_RSA, .bits = 256 }));
        CHECK_UINT(ERR_peek_error(), 0);
}

TEST(pem_round_trip) {
        static const char *const names[] = { "P-256", "secp384r1", "Ed25519" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _auto_pkey_ EVP_PKEY *key = NULL, *again = NULL;
                _auto_secret_ Secret *pem = NULL;
                KeySpec spec = ec(names[i]);

                test_case("%s", names[i]);
                REQUIRE(key_make(&spec, &key, NULL) == 0);
                REQUIRE(key_to_pem(key, &pem) == 0);
                CHECK(strncmp(pem->data, "-----BEGIN PRIVATE KEY-----\n", 28) == 0);
                CHECK_UINT(strlen(pem->data), pem->size);
                REQUIRE(key_from_pem(pem->data, pem->size, &again, NULL) == 0);
                CHECK(EVP_PKEY_eq(key, again) == 1);
                CHECK(key_matches_spec(again, &spec));
        }
}

TEST(pem_of_rsa) {
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key(), *again = NULL;
        _auto_secret_ Secret *pem = NULL;

        REQUIRE(key_to_pem(key, &pem) == 0);
        REQUIRE(key_from_pem(pem->data, pem->size, &again, NULL) == 0);
        CHECK(EVP_PKEY_eq(key, again) == 1);
}

/* What older programs wrote. */
TEST(pem_in_older_forms) {
        EVP_PKEY *both[] = { issue_key(), issue_rsa_key() };

        for (size_t i = 0; i < ELEMENTSOF(both); i++) {
                _auto_pkey_ EVP_PKEY *key = both[i], *again = NULL;
                _auto_bio_ BIO *bio = BIO_new(BIO_s_mem());
                char *data;
                long n;

                REQUIRE(PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
                n = BIO_get_mem_data(bio, &data);
                CHECK_INT(key_from_pem(data, (size_t) n, &again, NULL), 0);
                CHECK(again && EVP_PKEY_eq(key, again) == 1);
        }
}

static void check_refused(const char *pem, size_t size, const char *says) {
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_problem_ Problem *problem = NULL;

        CHECK_INT(key_from_pem(pem, size, &key, &problem), -EBADMSG);
        CHECK(!key);
        REQUIRE(problem);
        if (!CHECK(strstr(problem->detail, says)))
                CHECK_STR(problem->detail, says);
        CHECK_UINT(ERR_peek_error(), 0);
}

TEST(pem_that_is_no_key) {
        static const struct {
                const char *pem, *says;
        } cases[] = {
                { "",                                                                             "1 to 65536 bytes"  },
                { "garbage",                                                                      "no private key"    },
                { "-----BEGIN PRIVATE KEY-----",                                                  "no private key"    },
                { "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",                     "no private key"    },
                { "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",               "no private key"    },
                { "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n",               "no private key"    },
                { "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",               "no private key"    },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("'%s'", cases[i].pem);
                check_refused(cases[i].pem, strlen(cases[i].pem), cases[i].says);
        }
}

TEST(pem_of_another_kind) {
        _auto_pkey_ EVP_PKEY *key = issue_key(), *agreement = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
        _auto_x509_ X509 *cert = issue(&(Issue){ .key = key });
        _auto_bio_ BIO *bio = BIO_new(BIO_s_mem());
        _auto_secret_ Secret *pem = NULL;
        char *data;
        long n;

        test_case("public key");
        REQUIRE(PEM_write_bio_PUBKEY(bio, key) == 1);
        n = BIO_get_mem_data(bio, &data);
        check_refused(data, (size_t) n, "private");

        test_case("certificate");
        (void) BIO_reset(bio);
        REQUIRE(PEM_write_bio_X509(bio, cert) == 1);
        n = BIO_get_mem_data(bio, &data);
        check_refused(data, (size_t) n, "no private key");

        test_case("X25519");
        REQUIRE(key_to_pem(agreement, &pem) == 0);
        check_refused(pem->data, pem->size, "X25519");
}

TEST(pem_with_passphrase_asks_nobody) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *cert = issue(&(Issue){ .key = key });
        _auto_bio_ BIO *bio = BIO_new(BIO_s_mem());
        char *data;
        long n;

        test_case("PKCS#8");
        REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL) == 1);
        n = BIO_get_mem_data(bio, &data);
        check_refused(data, (size_t) n, "passphrase");
        CHECK(key_pem_is_protected(data, (size_t) n));

        test_case("older form");
        (void) BIO_reset(bio);
        REQUIRE(PEM_write_bio_PrivateKey_traditional(bio, key, EVP_aes_128_cbc(), (const unsigned char *) "secret", 6, NULL, NULL) == 1);
        n = BIO_get_mem_data(bio, &data);
        check_refused(data, (size_t) n, "passphrase");
        CHECK(key_pem_is_protected(data, (size_t) n));

        test_case("behind a certificate");
        REQUIRE(BIO_reset(bio) == 1);
        REQUIRE(PEM_write_bio_X509(bio, cert) == 1);
        REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL) == 1);
        n = BIO_get_mem_data(bio, &data);
        CHECK(key_pem_is_protected(data, (size_t) n));
}

TEST(pem_without_passphrase) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *cert = issue(&(Issue){ .key = key });
        _auto_bio_ BIO *bio = BIO_new(BIO_s_mem());
        char *data;
        long n;

        REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
        REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL) == 1);
        n = BIO_get_mem_data(bio, &data);
        CHECK(!key_pem_is_protected(data, (size_t) n)); /* the first one counts */
        REQUIRE(BIO_reset(bio) == 1);
        REQUIRE(PEM_write_bio_X509(bio, cert) == 1);
        n = BIO_get_mem_data(bio, &data);
        CHECK(!key_pem_is_protected(data, (size_t) n));
        CHECK(!key_pem_is_protected("", 0));
        CHECK(!key_pem_is_protected("garbage", 7));
        CHECK_UINT(ERR_peek_error(), 0);
}

TEST(pem_of_great_size) {
        size_t size = KEY_PEM_MAX + 1;
        _auto_free_ char *pem = malloc(size);

        REQUIRE(pem);
        memset(pem, 'A', size);
        check_refused(pem, size, "not 65537");
        check_refused(pem, size - 1, "no private key");
}

TEST(pem_torn_anywhere) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_secret_ Secret *pem = NULL;

        REQUIRE(key_to_pem(key, &pem) == 0);
        /* the last line may lack its end */
        for (size_t n = 0; n + 2 < pem->size; n++) {
                _auto_free_ char *torn = malloc(n + 1); /* exactly as large: a sanitizer sees who reads on */

                test_case("%zu bytes", n);
                REQUIRE(torn);
                memcpy(torn, pem->data, n);
                check_refused(torn, n, "rivate key");
        }
}

/* What 'openssl pkey -pubout -outform DER | sha256sum' says, and the same as a certificate's. */
TEST(hash_of_the_public_half) {
        static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                                  "-----END PRIVATE KEY-----\n";
        _auto_pkey_ EVP_PKEY *known = NULL, *key = issue_rsa_key();
        Issue i = { .key = key, .names = NAMES("example.org") };
        _auto_x509_ X509 *cert = issue(&i);
        _auto_free_ char *hash = NULL, *own = NULL;
        CertInfo info = { 0 };

        REQUIRE(key_from_pem(pem, strlen(pem), &known, NULL) == 0);
        REQUIRE(key_public_sha256(known, &hash) == 0);
        CHECK_STR(hash, "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9");
        REQUIRE(key_public_sha256(key, &own) == 0);
        REQUIRE(cert_info_read(cert, &info) == 0);
        CHECK_STR(info.key_sha256, own);
        CHECK_UINT(ERR_peek_error(), 0);
        cert_info_done(&info);
}

/* As mod_md protects keys of accounts: PKCS#8, and a passphrase of 48 random bytes, NUL bytes and all. */
TEST(protected) {
        static const char bytes[48] = "\x80\x00\x01 one\n\xff two";
        _auto_secret_ Secret *passphrase = secret_new(bytes, sizeof(bytes)), *other = secret_new(bytes, 10), *plain = NULL;
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key(), *read = NULL, *none = NULL;
        _auto_bio_ BIO *bio = BIO_new(BIO_s_mem());
        _auto_problem_ Problem *problem = NULL;
        char *pem;
        long n;

        REQUIRE(bio && PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), (char *) bytes, sizeof(bytes), NULL, NULL) == 1);
        n = BIO_get_mem_data(bio, &pem);
        CHECK_INT(key_from_protected_pem(pem, (size_t) n, passphrase, &read, NULL), 0);
        REQUIRE(read);
        CHECK(EVP_PKEY_eq(read, key) == 1 && key_works(read));
        CHECK_INT(key_from_pem(pem, (size_t) n, &none, NULL), -EBADMSG);
        CHECK_INT(key_from_protected_pem(pem, (size_t) n, other, &none, &problem), -EBADMSG);
        REQUIRE(problem);
        CHECK(strstr(problem->detail, "another passphrase"));
        CHECK_INT(key_from_protected_pem(pem, (size_t) n / 2, passphrase, &none, NULL), -EBADMSG);
        CHECK(!none);
        CHECK_UINT(ERR_peek_error(), 0);

        /* One without protection is read, too. */
        REQUIRE(key_to_pem(key, &plain) == 0);
        EVP_PKEY_free(take_ptr(read));
        CHECK_INT(key_from_protected_pem(plain->data, plain->size, passphrase, &read, NULL), 0);
}

/* Says that it is protected by this algorithm; what is in it does not matter, because nobody gets that far. */
static BIO *protected_by(X509_ALGOR *algorithm) {
        X509_SIG *protected = X509_SIG_new();
        BIO *bio = BIO_new(BIO_s_mem());
        ASN1_OCTET_STRING *content;
        X509_ALGOR *own;

        X509_SIG_getm(protected, &own, &content);
        (void) X509_ALGOR_copy(own, algorithm);
        (void) ASN1_OCTET_STRING_set(content, (const unsigned char *) "0123456789abcdef", 16);
        (void) PEM_write_bio_PKCS8(bio, protected);
        X509_SIG_free(protected);
        X509_ALGOR_free(algorithm);
        return bio;
}

/* Files of somebody else say how long their passphrase is to be hashed: up to days, while which nothing else would happen. */
TEST(protected_expensively) {
        static const char plain_first[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        const struct {
                const char *what;
                X509_ALGOR *algorithm;
                const char *detail;
        } cases[] = {
                { "some iterations", PKCS5_pbe2_set(EVP_aes_256_cbc(), 2048, NULL, 0), "another passphrase" },
                { "one more", PKCS5_pbe2_set(EVP_aes_256_cbc(), 1000001, NULL, 0), "iterations" },
                { "as many as can be", PKCS5_pbe2_set(EVP_aes_256_cbc(), INT32_MAX, NULL, 0), "iterations" },
                { "the older way", PKCS5_pbe_set(NID_pbeWithSHA1AndDES_CBC, INT32_MAX, NULL, 0), "iterations" },
                { "scrypt", PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 0, NULL, 16384, 8, 1000), "iterations" },
        };
        _auto_secret_ Secret *passphrase = secret_new("secret", 6);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_bio_ BIO *bio = protected_by(cases[i].algorithm);
                _auto_free_ char *later = NULL;
                _auto_problem_ Problem *problem = NULL, *again = NULL;
                EVP_PKEY *none = NULL;
                char *pem;
                long n = BIO_get_mem_data(bio, &pem);

                test_case("%s", cases[i].what);
                CHECK_INT(key_from_protected_pem(pem, (size_t) n, passphrase, &none, &problem), -EBADMSG);
                REQUIRE(problem);
                CHECK(strstr(problem->detail, cases[i].detail));
                /* Nor behind something else. */
                REQUIRE(asprintf(&later, "%s%.*s", plain_first, (int) n, pem) > 0);
                CHECK_INT(key_from_protected_pem(later, strlen(later), passphrase, &none, &again), -EBADMSG);
                REQUIRE(again);
                CHECK(strstr(again->detail, cases[i].detail));
                CHECK_INT(key_from_pem(pem, (size_t) n, &none, NULL), -EBADMSG);
                CHECK(!none);
                CHECK_UINT(ERR_peek_error(), 0);
        }
}

/* One with which a single signature takes minutes. */
TEST(too_large) {
        static const char *const numbers[] = { "n", "e", "d", "rsa-factor1", "rsa-factor2", "rsa-exponent1", "rsa-exponent2", "rsa-coefficient1" };
        const int bits[] = { KEY_SPEC_RSA_BITS_MAX, KEY_SPEC_RSA_BITS_MAX + 8 };

        for (size_t i = 0; i < ELEMENTSOF(bits); i++) {
                _auto_pkey_ctx_ EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
                _auto_pkey_ EVP_PKEY *large = NULL, *read = NULL;
                OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
                _auto_problem_ Problem *problem = NULL;
                _auto_secret_ Secret *pem = NULL;
                OSSL_PARAM *parameters;
                BIGNUM *items[8];

                test_case("%d bits", bits[i]);
                for (size_t k = 0; k < ELEMENTSOF(numbers); k++) {
                        items[k] = BN_new();
                        REQUIRE(BN_set_bit(items[k], k == 0 ? bits[i] - 1 : k == 2 ? bits[i] - 2 : bits[i] / 2 - 1) == 1 && BN_set_bit(items[k], 0) == 1);
                        if (k == 1)
                                BN_set_word(items[k], 65537);
                        REQUIRE(OSSL_PARAM_BLD_push_BN(builder, numbers[k], items[k]) == 1);
                }
                parameters = OSSL_PARAM_BLD_to_param(builder);
                REQUIRE(EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &large, EVP_PKEY_KEYPAIR, parameters) == 1);
                REQUIRE(key_to_pem(large, &pem) == 0);
                CHECK_INT(key_from_pem(pem->data, pem->size, &read, &problem), bits[i] > KEY_SPEC_RSA_BITS_MAX ? -EBADMSG : 0);
                CHECK(!read == (bits[i] > KEY_SPEC_RSA_BITS_MAX));
                if (problem)
                        CHECK(strstr(problem->detail, "too large"));
                for (size_t k = 0; k < ELEMENTSOF(items); k++)
                        BN_free(items[k]);
                OSSL_PARAM_free(parameters);
                OSSL_PARAM_BLD_free(builder);
        }
}

TEST(works) {
        static const char *const kinds[] = { "P-256", "P-384", "P-521", "Ed25519" };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                _auto_pkey_ EVP_PKEY *key = NULL;
                KeySpec spec = ec(kinds[i]);

                REQUIRE(key_make(&spec, &key, NULL) == 0);
                CHECK(key_works(key));
        }
}
