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

TEST(holds_what_it_was_made_of) {
        _auto_pkey_ EVP_PKEY *key = issue_key(), *other_key = issue_key();
        _auto_cert_chain_ CertChain chain = { 0 }, other = { 0 };
        _auto_secret_ Secret *der = NULL, *again = NULL, *without = NULL;
        CertChain leaf = { .n = 1 };

        make_chain(&chain, key);
        make_chain(&other, key);
        leaf.certs[0] = chain.certs[0];
        REQUIRE(pkcs12_make(&chain, key, "example.org", "secret", &der, NULL) == 0);
        REQUIRE(pkcs12_make(&chain, key, "example.org", "secret", &again, NULL) == 0);
        REQUIRE(pkcs12_make(&chain, NULL, "example.org", "secret", &without, NULL) == 0);
        CHECK(der->size != again->size || memcmp(der->data, again->data, der->size) != 0);
        CHECK(pkcs12_holds(der->data, der->size, "secret", key, &chain));
        CHECK(pkcs12_holds(again->data, again->size, "secret", key, &chain));
        CHECK(!pkcs12_holds(der->data, der->size, "Secret", key, &chain));
        CHECK(!pkcs12_holds(der->data, der->size, "secret", other_key, &chain));
        CHECK(!pkcs12_holds(der->data, der->size, "secret", key, &other));
        CHECK(!pkcs12_holds(der->data, der->size, "secret", key, &leaf));
        CHECK(!pkcs12_holds(without->data, without->size, "secret", key, &chain));
        CHECK(!pkcs12_holds(der->data, der->size - 1, "secret", key, &chain));
        CHECK(!pkcs12_holds("", 0, "secret", key, &chain) && !pkcs12_holds("rubbish", 7, "secret", key, &chain));
}

TEST(a_longer_chain_keeps_its_order) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_cert_chain_ CertChain chain = { 0 }, more = { 0 };
        _auto_secret_ Secret *der = NULL;

        make_chain(&chain, key);
        make_chain(&more, key);
        chain.certs[chain.n++] = take_ptr(more.certs[1]);
        more.n = 1;
        REQUIRE(pkcs12_make(&chain, key, "example.org", "secret", &der, NULL) == 0);
        CHECK(pkcs12_holds(der->data, der->size, "secret", key, &chain));
}
