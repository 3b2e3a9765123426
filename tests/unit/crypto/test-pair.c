/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pair.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/macro.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "lib/test.h"

typedef struct Pair {
        EVP_PKEY *key;
        CertChain chain;
        Secret *key_pem;
        char *chain_pem;
} Pair;

static void pair_done(Pair *p) {
        EVP_PKEY_free(p->key);
        cert_chain_done(&p->chain);
        (void) secret_free(p->key_pem);
        free(p->chain_pem);
}
#define _auto_pair_ _cleanup_(pair_done)

static void make(const KeySpec *spec, size_t n, Pair *p) {
        char *names[] = { (char *) "example.org", NULL };

        *p = (Pair){ 0 };
        REQUIRE(key_make(spec, &p->key, NULL) == 0);
        REQUIRE(key_to_pem(p->key, &p->key_pem) == 0);
        for (; p->chain.n < n; p->chain.n++)
                REQUIRE(cert_make_self_signed(p->key, NULL, names, 0, USEC_PER_DAY, &p->chain.certs[p->chain.n]) == 0);
        REQUIRE(cert_chain_to_pem(&p->chain, &p->chain_pem) == 0);
}

static int look(const char *chain, const Secret *key) {
        _auto_free_ char *sha256 = NULL;

        return pair_look(chain, strlen(chain), key->data, key->size, &sha256);
}

static const KeySpec ec = { .type = KEY_TYPE_EC, .curve = "P-256" };

TEST(kinds_of_keys) {
        static const struct {
                const char *what;
                KeySpec spec;
                int r;
        } cases[] = {
                { "RSA", { .type = KEY_TYPE_RSA, .bits = 2048 }, PAIR_MATCHES },
                { "RSA 3072", { .type = KEY_TYPE_RSA, .bits = 3072 }, PAIR_MATCHES },
                { "P-256", { .type = KEY_TYPE_EC, .curve = "P-256" }, PAIR_MATCHES },
                { "P-521", { .type = KEY_TYPE_EC, .curve = "secp521r1" }, PAIR_MATCHES },
                { "Ed25519", { .type = KEY_TYPE_EC, .curve = "Ed25519" }, PAIR_E_UNKNOWN },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *sha256 = NULL, *expected = NULL;
                _auto_pair_ Pair p, other;

                test_case("%s", cases[i].what);
                make(&cases[i].spec, 2, &p);
                make(&cases[i].spec, 1, &other);
                CHECK_INT(pair_look(p.chain_pem, strlen(p.chain_pem), p.key_pem->data, p.key_pem->size, &sha256), cases[i].r);
                REQUIRE(cert_sha256(p.chain.certs[0], &expected) == 0);
                CHECK_STR(sha256, cases[i].r == PAIR_MATCHES ? expected : NULL);
                CHECK_INT(look(p.chain_pem, other.key_pem), PAIR_E_UNKNOWN);
                CHECK_INT(look(other.chain_pem, p.key_pem), PAIR_E_UNKNOWN);
        }
}

TEST(another_curve) {
        _auto_pair_ Pair p, other;

        make(&ec, 1, &p);
        make(&(KeySpec){ .type = KEY_TYPE_EC, .curve = "P-384" }, 1, &other);
        CHECK_INT(look(p.chain_pem, other.key_pem), PAIR_E_UNKNOWN);
}

TEST(texts) {
        _auto_free_ char *text = NULL, *twice = NULL;
        _auto_secret_ Secret *key = NULL;
        _auto_pair_ Pair p;

        make(&ec, 1, &p);
        REQUIRE(asprintf(&text, "a line of text\n%sand another\n", p.chain_pem) > 0);
        CHECK_INT(look(text, p.key_pem), PAIR_MATCHES);
        REQUIRE(asprintf(&twice, "%s%s", p.chain_pem, p.key_pem->data) > 0);
        CHECK_INT(look(twice, p.key_pem), PAIR_E_UNKNOWN);
        CHECK_INT(look(p.key_pem->data, p.key_pem), PAIR_E_UNKNOWN);
        CHECK_INT(look("", p.key_pem), PAIR_E_UNKNOWN);
        key = secret_new(p.chain_pem, strlen(p.chain_pem));
        REQUIRE(key);
        CHECK_INT(look(p.chain_pem, key), PAIR_E_UNKNOWN);
}

/* A file that was torn anywhere, but in the newline at its end. */
TEST(torn) {
        _auto_pair_ Pair p;

        make(&ec, 2, &p);
        for (size_t n = 0; n + 1 < strlen(p.chain_pem); n++) {
                _auto_free_ char *text = strndup(p.chain_pem, n);
                size_t first = (size_t) (strstr(p.chain_pem, "-----END") - p.chain_pem);
                int r;

                REQUIRE(text);
                r = look(text, p.key_pem);
                /* Between the two a whole chain of one stands there. */
                if (r == PAIR_MATCHES && (n < first || strstr(text + first, "-----BEGIN CERTIFICATE-----\n"))) {
                        test_case("%zu bytes of the chain", n);
                        CHECK_INT(r, PAIR_E_UNKNOWN);
                }
        }
        for (size_t n = 1; n + 1 < p.key_pem->size; n++) {
                _auto_secret_ Secret *key = secret_new(p.key_pem->data, n);

                REQUIRE(key);
                test_case("%zu bytes of the key", n);
                CHECK_INT(look(p.chain_pem, key), PAIR_E_UNKNOWN);
        }
}

static char *to_pem(const char *type, const uint8_t *der, long size) {
        _auto_bio_ BIO *bio = BIO_new(BIO_s_mem());
        char *data = NULL;
        long n;

        if (!bio || PEM_write_bio(bio, type, "", der, size) <= 0)
                return NULL;
        n = BIO_get_mem_data(bio, &data);
        return strndup(data, (size_t) n);
}

/* Every byte of the DER, changed in every bit: what still matches has the same public key. */
TEST(damaged) {
        _auto_openssl_ uint8_t *der = NULL;
        _auto_pair_ Pair p;
        int size;

        make(&ec, 1, &p);
        size = i2d_X509(p.chain.certs[0], &der);
        REQUIRE(size > 0);
        for (int i = 0; i < size; i++)
                for (int bit = 0; bit < 8; bit++) {
                        _auto_free_ char *pem = NULL;

                        der[i] ^= (uint8_t) (1 << bit);
                        pem = to_pem(PEM_STRING_X509, der, size);
                        REQUIRE(pem);
                        if (look(pem, p.key_pem) == PAIR_MATCHES) {
                                ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(p.chain.certs[0]);

                                test_case("byte %d, bit %d", i, bit);
                                CHECK(memmem(der, (size_t) size, bits->data, (size_t) bits->length) != NULL);
                        }
                        der[i] ^= (uint8_t) (1 << bit);
                }
}
