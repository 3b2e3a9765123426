/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pkcs12.h"

#include <errno.h>
#include <openssl/pkcs12.h>
#include <string.h>

#include "base/cleanup.h"
#include "crypto/key.h"
#include "issue.h"
#include "lib/test.h"

static void make_chain(CertChain *chain, EVP_PKEY *key) {
        _auto_pkey_ EVP_PKEY *issuer_key = issue_key();
        const Issue issuer = { .key = issuer_key, .subject = "Issuer", .ca = true };
        Issue leaf = { .key = key, .issuer_key = issuer_key, .subject = "example.org", .names = NAMES("example.org") };

        chain->certs[1] = leaf.issuer = issue(&issuer);
        chain->certs[0] = issue(&leaf);
        chain->n = 2;
}

typedef struct Content {
        EVP_PKEY *key;
        X509 *cert;
        STACK_OF(X509) *rest;
} Content;

static void content_done(Content *c) {
        EVP_PKEY_free(c->key);
        X509_free(c->cert);
        sk_X509_pop_free(c->rest, X509_free);
}

static bool read_back(const Secret *der, const char *password, Content *ret) {
        const unsigned char *p = (const unsigned char *) der->data;
        PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long) der->size);
        bool good = p12 && PKCS12_parse(p12, password, &ret->key, &ret->cert, &ret->rest) == 1;

        PKCS12_free(p12);
        (void) openssl_queue_clear();
        return good;
}

TEST(with_key) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_cert_chain_ CertChain chain = { 0 };
        _cleanup_(content_done) Content content = { 0 }, other = { 0 };
        _auto_secret_ Secret *der = NULL;

        make_chain(&chain, key);
        REQUIRE(pkcs12_make(&chain, key, "example.org", "secret", &der, NULL) == 0);
        REQUIRE(read_back(der, "secret", &content));
        CHECK(content.key && EVP_PKEY_eq(content.key, key) == 1);
        CHECK(content.cert && X509_cmp(content.cert, chain.certs[0]) == 0);
        CHECK_INT(sk_X509_num(content.rest), 1);
        CHECK(!read_back(der, "other", &other));
}

TEST(without_key) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_cert_chain_ CertChain chain = { 0 };
        _cleanup_(content_done) Content content = { 0 };
        _auto_secret_ Secret *der = NULL;

        make_chain(&chain, key);
        REQUIRE(pkcs12_make(&chain, NULL, "example.org", "secret", &der, NULL) == 0);
        REQUIRE(read_back(der, "secret", &content));
        CHECK(!content.key);
        CHECK_INT(sk_X509_num(content.rest), 2);
}

TEST(passwords) {
        static const char *const passwords[] = { "", "p\xc3\xa4ssword \xe2\x82\xac", "\xff is no UTF-8", "0123456789012345678901234567890123456789012345678901234567890123456789" };
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_cert_chain_ CertChain chain = { 0 };

        make_chain(&chain, key);
        for (size_t i = 0; i < ELEMENTSOF(passwords); i++) {
                _cleanup_(content_done) Content content = { 0 };
                _auto_secret_ Secret *der = NULL;

                REQUIRE(pkcs12_make(&chain, key, "example.org", passwords[i], &der, NULL) == 0);
                test_check(read_back(der, passwords[i], &content), passwords[i], __FILE__, __LINE__);
        }
}

TEST(key_of_another) {
        _auto_pkey_ EVP_PKEY *key = issue_key(), *other = issue_key();
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_problem_ Problem *problem = NULL;
        _auto_secret_ Secret *der = NULL;

        make_chain(&chain, key);
        CHECK_INT(pkcs12_make(&chain, other, "example.org", "secret", &der, &problem), -EBADMSG);
        CHECK(problem && !der);
        CHECK_INT((int) ERR_peek_error(), 0);
}

typedef struct Made {
        const char *what;
        const CertChain *chain;
        EVP_PKEY *key;
        const char *name, *password;
} Made;

static Secret *make(const Made *m) {
        Secret *der = NULL;

        CHECK_INT(pkcs12_make(m->chain, m->key, m->name, m->password, &der, NULL), 0);
        return der;
}

static bool is_same(const Secret *a, const Secret *b) {
        return a && b && a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

TEST(the_same_content_is_the_same_bytes) {
        _auto_pkey_ EVP_PKEY *key = issue_key(), *other_key = issue_key();
        _auto_cert_chain_ CertChain chain = { 0 }, renewed = { 0 }, other = { 0 };
        CertChain short_chain = { .n = 1 };
        const Made first = { "", &chain, key, "example.org", "secret" };
        const Made others[] = {
                { "the password", &chain, key, "example.org", "Secret" }, { "the name", &chain, key, "example.net", "secret" },
                { "the certificate", &renewed, key, "example.org", "secret" }, { "the key", &other, other_key, "example.org", "secret" },
                { "the length of the chain", &short_chain, key, "example.org", "secret" }, { "that there is a key", &chain, NULL, "example.org", "secret" },
        };
        _auto_secret_ Secret *der = NULL, *again = NULL;

        make_chain(&chain, key);
        make_chain(&renewed, key);
        make_chain(&other, other_key);
        short_chain.certs[0] = chain.certs[0];
        der = make(&first);
        again = make(&first);
        CHECK(is_same(der, again));
        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                _auto_secret_ Secret *differs = make(&others[i]);

                test_check(!is_same(der, differs), others[i].what, __FILE__, __LINE__);
        }
}

/* Of the whole: the others are derived in the same way. */
static void read_salt(const Secret *der, unsigned char ret[16]) {
        const unsigned char *p = (const unsigned char *) der->data;
        const ASN1_OCTET_STRING *salt;
        PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long) der->size);

        REQUIRE(p12);
        PKCS12_get0_mac(NULL, NULL, &salt, NULL, p12);
        REQUIRE(salt && ASN1_STRING_length(salt) == 16);
        memcpy(ret, ASN1_STRING_get0_data(salt), 16);
        PKCS12_free(p12);
}

TEST(no_two_contents_share_a_salt) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_cert_chain_ CertChain chain = { 0 }, renewed = { 0 };
        const Made made[] = {
                { "", &chain, key, "example.org", "secret" }, { "", &renewed, key, "example.org", "secret" }, { "", &chain, key, "example.net", "secret" },
                { "", &chain, NULL, "example.org", "secret" }, { "", &chain, NULL, "example.org", "secret" },
        };
        unsigned char salts[ELEMENTSOF(made)][16];

        make_chain(&chain, key);
        make_chain(&renewed, key);
        for (size_t i = 0; i < ELEMENTSOF(made); i++) {
                _auto_secret_ Secret *der = make(&made[i]);

                read_salt(der, salts[i]);
                for (size_t j = 0; j < i; j++)
                        CHECK(memcmp(salts[i], salts[j], sizeof(salts[i])) != 0);
        }
}

TEST(a_longer_chain_keeps_its_order) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_cert_chain_ CertChain chain = { 0 }, more = { 0 };
        _cleanup_(content_done) Content content = { 0 };
        _auto_secret_ Secret *der = NULL;

        make_chain(&chain, key);
        make_chain(&more, key);
        chain.certs[chain.n++] = take_ptr(more.certs[1]);
        more.n = 1;
        REQUIRE(pkcs12_make(&chain, key, "example.org", "secret", &der, NULL) == 0);
        REQUIRE(read_back(der, "secret", &content));
        REQUIRE(sk_X509_num(content.rest) == 2);
        CHECK(X509_cmp(content.cert, chain.certs[0]) == 0);
        for (int i = 0; i < 2; i++)
                CHECK(X509_cmp(sk_X509_value(content.rest, i), chain.certs[i + 1]) == 0);
}
