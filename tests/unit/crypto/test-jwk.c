/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jwk.h"

#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"
#include "crypto/jws.h"
#include "crypto/key.h"
#include "issue.h"
#include "lib/test.h"

static void add_number(JsonObject *jwk, const char *member, EVP_PKEY *key, const char *parameter, int width) {
        _auto_bn_ BIGNUM *bn = NULL;
        _auto_free_ char *text = NULL;
        unsigned char bytes[1024];
        int n;

        REQUIRE(EVP_PKEY_get_bn_param(key, parameter, &bn) == 1);
        n = width > 0 ? BN_bn2binpad(bn, bytes, width) : BN_bn2bin(bn, bytes);
        REQUIRE(n > 0);
        text = base64url_encode(bytes, (size_t) n);
        REQUIRE(text && json_add_string(jwk, member, text) == 0);
}

static JsonObject *rsa_jwk(EVP_PKEY *key) {
        static const char *const numbers[][2] = {
                { "n", OSSL_PKEY_PARAM_RSA_N }, { "e", OSSL_PKEY_PARAM_RSA_E }, { "d", OSSL_PKEY_PARAM_RSA_D },
                { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 }, { "q", OSSL_PKEY_PARAM_RSA_FACTOR2 }, { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
                { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 }, { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
        };
        JsonObject *jwk = json_object_new_object();

        (void) json_add_string(jwk, "kty", "RSA");
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                add_number(jwk, numbers[i][0], key, numbers[i][1], 0);
        return jwk;
}

static JsonObject *ec_jwk(EVP_PKEY *key, const char *crv, int width) {
        JsonObject *jwk = json_object_new_object();

        (void) json_add_string(jwk, "kty", "EC");
        (void) json_add_string(jwk, "crv", crv);
        add_number(jwk, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, width);
        add_number(jwk, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, width);
        add_number(jwk, "d", key, OSSL_PKEY_PARAM_PRIV_KEY, width);
        return jwk;
}

/* The same key, by its public half and by what can be signed with it. */
static void check_same(JsonObject *jwk, EVP_PKEY *expected) {
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_secret_ Secret *pem = NULL;

        REQUIRE(jwk_private_key(jwk, &key, NULL) == 0);
        CHECK(EVP_PKEY_eq(key, expected) == 1);
        CHECK(key_works(key));
        CHECK_STR(jws_algorithm(key), jws_algorithm(expected));
        CHECK_INT(key_to_pem(key, &pem), 0);
        CHECK_UINT(ERR_peek_error(), 0);
}

TEST(rsa) {
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key();
        _auto_json_ JsonObject *jwk = rsa_jwk(key);

        check_same(jwk, key);
}

TEST(ec) {
        static const struct {
                const char *crv;
                int width;
        } curves[] = { { "P-256", 32 }, { "P-384", 48 } };

        for (size_t i = 0; i < ELEMENTSOF(curves); i++) {
                _auto_pkey_ EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curves[i].crv);
                _auto_json_ JsonObject *jwk = ec_jwk(key, curves[i].crv, curves[i].width);

                test_case("%s", curves[i].crv);
                check_same(jwk, key);
        }
}

/* One member is another one. */
static const struct {
        const char *type, *member, *value; /* NULL: is missing; "*": of another key */
} broken[] = {
        { "RSA", "kty", NULL },        { "RSA", "kty", "oct" },       { "RSA", "kty", "EC" },       { "RSA", "n", NULL },   { "RSA", "n", "" },
        { "RSA", "n", "AQAB" },        { "RSA", "n", "not/base64" },  { "RSA", "n", "*" },          { "RSA", "d", NULL },   { "RSA", "d", "*" },
        { "RSA", "d", "AQAB" },        { "RSA", "p", NULL },          { "RSA", "p", "*" },          { "RSA", "q", "AQ" },   { "RSA", "qi", NULL },
        { "RSA", "dp", "*" },          { "RSA", "e", "AA" },          { "EC", "crv", NULL },        { "EC", "crv", "P-521" }, { "EC", "crv", "P-384" },
        { "EC", "x", NULL },           { "EC", "x", "AQAB" },         { "EC", "x", "*" },           { "EC", "y", "*" },     { "EC", "d", NULL },
        { "EC", "d", "*" },            { "EC", "d", "AA" },           { "EC", "kty", "RSA" },
};

static JsonObject *make(const char *type, EVP_PKEY *rsa) {
        _auto_pkey_ EVP_PKEY *ec = issue_key();

        return str_equal(type, "RSA") ? rsa_jwk(rsa) : ec_jwk(ec, "P-256", 32);
}

TEST(broken) {
        _auto_pkey_ EVP_PKEY *rsa = issue_rsa_key(), *other = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 2048);

        for (size_t i = 0; i < ELEMENTSOF(broken); i++) {
                _auto_json_ JsonObject *jwk = make(broken[i].type, rsa), *foreign = make(broken[i].type, other);
                _auto_problem_ Problem *problem = NULL;
                EVP_PKEY *key = NULL;
                const char *value = broken[i].value;

                test_case("%s with %s %s", broken[i].type, broken[i].member, str_or(value, "missing"));
                if (str_equal(value, "*"))
                        value = json_get_string(foreign, broken[i].member);
                json_object_object_del(jwk, broken[i].member);
                CHECK_INT(json_add_string(jwk, broken[i].member, value), 0);
                CHECK_INT(jwk_private_key(jwk, &key, &problem), -EBADMSG);
                CHECK(!key && problem);
                CHECK_UINT(ERR_peek_error(), 0);
        }
}

TEST(no_object) {
        _auto_json_ JsonObject *list = json_object_new_array();
        EVP_PKEY *key = NULL;

        CHECK_INT(jwk_private_key(list, &key, NULL), -EBADMSG);
        CHECK_INT(jwk_private_key(NULL, &key, NULL), -EBADMSG);
}

TEST(too_long) {
        _auto_pkey_ EVP_PKEY *rsa = issue_rsa_key();
        _auto_json_ JsonObject *jwk = rsa_jwk(rsa);
        _auto_free_ char *text = NULL;
        unsigned char bytes[JWK_RSA_BITS_MAX / 8 + 1];
        EVP_PKEY *key = NULL;

        memset(bytes, 0xa5, sizeof(bytes));
        text = base64url_encode(bytes, sizeof(bytes));
        REQUIRE(text);
        json_object_object_del(jwk, "n");
        REQUIRE(json_add_string(jwk, "n", text) == 0);
        CHECK_INT(jwk_private_key(jwk, &key, NULL), -EBADMSG);
}
