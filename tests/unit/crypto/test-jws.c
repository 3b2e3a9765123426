/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jws.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"
#include "issue.h"
#include "lib/test.h"

static EVP_PKEY *make_public(const char *type, OSSL_PARAM_BLD *build) {
        _auto_pkey_ctx_ EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
        EVP_PKEY *key = NULL;

        if (EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
                key = NULL;
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(build);
        return key;
}

static BIGNUM *number(const char *base64url) {
        _auto_free_ void *data = NULL;
        size_t n = 0;

        if (base64url_decode(base64url, strlen(base64url), &data, &n) < 0)
                return NULL;
        return BN_bin2bn(data, (int) n, NULL);
}

/* The example of RFC 7638 section 3.1. */
TEST(thumbprint_of_rfc7638) {
        static const char *const modulus =
                "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ"
                "_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpb"
                "ISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        _auto_bn_ BIGNUM *n = number(modulus), *e = number("AQAB");
        OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_free_ char *thumbprint = NULL, *text = NULL;
        _auto_json_ JsonObject *jwk = NULL;

        REQUIRE(n && e && build);
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
        key = make_public("RSA", build);
        REQUIRE(key);

        REQUIRE(jwk_from_key(key, &jwk) == 0);
        text = json_format_short(jwk);
        CHECK(str_has_prefix(text, "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"0vx7"));
        CHECK_STR(json_get_string(jwk, "n"), modulus);
        CHECK_INT(jwk_thumbprint(key, &thumbprint), 0);
        CHECK_STR(thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

/* The public key of RFC 7515 appendix A.3.1. */
TEST(jwk_of_rfc7515) {
        static const char *const x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", *const y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
        _auto_free_ void *x_data = NULL, *y_data = NULL;
        size_t x_size = 0, y_size = 0;
        uint8_t point[65] = { 4 };
        OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_json_ JsonObject *jwk = NULL;
        _auto_free_ char *text = NULL, *expected = NULL;

        REQUIRE(base64url_decode(x, strlen(x), &x_data, &x_size) == 0 && x_size == 32);
        REQUIRE(base64url_decode(y, strlen(y), &y_data, &y_size) == 0 && y_size == 32);
        memcpy(point + 1, x_data, 32);
        memcpy(point + 33, y_data, 32);
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
        key = make_public("EC", build);
        REQUIRE(key);

        REQUIRE(jwk_from_key(key, &jwk) == 0);
        text = json_format_short(jwk);
        expected = str_printf("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
        CHECK_STR(text, expected);
}

static bool has_short_coordinate(EVP_PKEY *key) {
        _auto_bn_ BIGNUM *x = NULL, *y = NULL;

        if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1 || EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1)
                return false;
        return BN_num_bytes(x) < 32 || BN_num_bytes(y) < 32;
}

/* One key in 128 has one. */
TEST(coordinates_keep_their_leading_zeros) {
        for (size_t i = 0; i < 5000; i++) {
                _auto_pkey_ EVP_PKEY *key = issue_key();
                _auto_json_ JsonObject *jwk = NULL;

                if (!has_short_coordinate(key))
                        continue;
                REQUIRE(jwk_from_key(key, &jwk) == 0);
                CHECK_UINT(strlen(json_get_string(jwk, "x")), 43);
                CHECK_UINT(strlen(json_get_string(jwk, "y")), 43);
                CHECK(json_get_string(jwk, "x")[0] == 'A' || json_get_string(jwk, "y")[0] == 'A');
                return;
        }
        SKIP("no key with a short coordinate in 5000");
}

static bool decode(const char *s, void **ret, size_t *ret_size) {
        return s && base64url_decode(s, strlen(s), ret, ret_size) == 0;
}

/* Back from the two numbers of RFC 7518 to the DER that OpenSSL verifies. */
static uint8_t *ecdsa_der(const uint8_t *raw, size_t size, size_t *ret_size) {
        ECDSA_SIG *sig = ECDSA_SIG_new();
        uint8_t *der = NULL;
        int n;

        ECDSA_SIG_set0(sig, BN_bin2bn(raw, (int) size / 2, NULL), BN_bin2bn(raw + size / 2, (int) size / 2, NULL));
        n = i2d_ECDSA_SIG(sig, &der);
        ECDSA_SIG_free(sig);
        *ret_size = n > 0 ? (size_t) n : 0;
        return der;
}

static bool signature_holds(EVP_PKEY *key, const char *digest, const char *input, const uint8_t *signature, size_t size) {
        _auto_md_ctx_ EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        _auto_openssl_ uint8_t *der = NULL;

        if (EVP_PKEY_is_a(key, "EC")) {
                der = ecdsa_der(signature, size, &size);
                signature = der;
        }
        return EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL) == 1 &&
               EVP_DigestVerify(ctx, signature, size, (const uint8_t *) input, strlen(input)) == 1;
}

typedef struct Jws {
        JsonObject *whole, *header;
        char *payload;
        size_t payload_size, signature_size;
} Jws;

static void jws_done(Jws *j) {
        json_object_put(j->whole);
        json_object_put(j->header);
        free(j->payload);
}

static bool open_jws(EVP_PKEY *key, const char *digest, const char *text, Jws *j) {
        _auto_free_ char *input = NULL;
        _auto_free_ void *header = NULL, *signature = NULL;
        const char *protected, *payload;
        size_t n;

        if (json_parse(text, strlen(text), &j->whole, NULL) != 0)
                return false;
        protected = json_get_string(j->whole, "protected");
        payload = json_get_string(j->whole, "payload");
        if (!decode(protected, &header, &n) || json_parse(header, n, &j->header, NULL) != 0)
                return false;
        if (!payload || (*payload && !decode(payload, (void **) &j->payload, &j->payload_size)))
                return false;
        if (!decode(json_get_string(j->whole, "signature"), &signature, &j->signature_size))
                return false;
        input = str_printf("%s.%s", protected, payload);
        return signature_holds(key, digest, input, signature, j->signature_size);
}

static const struct {
        const char *curve;  /* NULL: RSA */
        const char *alg, *digest;
        size_t signature_size;
} algorithms[] = {
        { "P-256", "ES256", "SHA256", 64  },
        { "P-384", "ES384", "SHA384", 96  },
        { NULL,    "RS256", "SHA256", 256 },
};

TEST(signatures_verify) {
        static const JwsHeader header = { .url = "https://ca.example/new-order", .nonce = "n0-nce", .kid = "https://ca.example/acct/1?a=\"b\"" };

        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++) {
                _auto_pkey_ EVP_PKEY *key =
                        algorithms[i].curve ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", algorithms[i].curve) : issue_rsa_key();

                test_case("%s", algorithms[i].alg);
                /* often enough to meet numbers with leading zeros */
                for (size_t k = 0; k < (algorithms[i].curve ? 300 : 2); k++) {
                        _cleanup_(jws_done) Jws j = { 0 };
                        _auto_free_ char *text = NULL;

                        REQUIRE(jws_sign(key, &header, "{\"a\": 1}", &text) == 0);
                        REQUIRE(open_jws(key, algorithms[i].digest, text, &j));
                        CHECK_UINT(j.signature_size, algorithms[i].signature_size);
                        CHECK_UINT(j.payload_size, 8);
                        CHECK_MEM(j.payload, "{\"a\": 1}", 8);
                        CHECK_STR(json_get_string(j.header, "alg"), algorithms[i].alg);
                        CHECK_STR(json_get_string(j.header, "kid"), header.kid);
                        CHECK_STR(json_get_string(j.header, "nonce"), header.nonce);
                        CHECK_STR(json_get_string(j.header, "url"), header.url);
                        CHECK_INT(json_object_object_length(j.header), 4);
                        CHECK_INT(json_object_object_length(j.whole), 3);
                }
        }
        CHECK_UINT(ERR_peek_error(), 0);
}

TEST(header_with_key_instead_of_account) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _cleanup_(jws_done) Jws j = { 0 };
        _auto_free_ char *text = NULL, *embedded = NULL, *direct = NULL;
        _auto_json_ JsonObject *jwk = NULL;

        REQUIRE(jws_sign(key, &(JwsHeader){ .url = "https://ca.example/new-account" }, "", &text) == 0);
        REQUIRE(open_jws(key, "SHA256", text, &j));
        CHECK(!json_has(j.header, "kid"));
        CHECK(!json_has(j.header, "nonce"));
        CHECK(!json_has(j.header, "b64"));
        CHECK_STR(json_get_string(j.whole, "payload"), "");
        REQUIRE(json_get_object(j.header, "jwk"));
        embedded = json_format_short(json_get_object(j.header, "jwk"));
        REQUIRE(jwk_from_key(key, &jwk) == 0);
        direct = json_format_short(jwk);
        CHECK_STR(embedded, direct);
        CHECK(!strstr(direct, "\"d\""));
}

TEST(keys_that_sign_no_jws) {
        EVP_PKEY *keys[] = { EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"), EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"),
                             EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), EVP_PKEY_Q_keygen(NULL, NULL, "X25519") };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                _auto_pkey_ EVP_PKEY *key = keys[i];
                JsonObject *jwk = NULL;
                char *text = NULL;

                test_case("key %zu", i);
                CHECK_INT(jwk_from_key(key, &jwk), -EINVAL);
                CHECK_INT(jwk_thumbprint(key, &text), -EINVAL);
                CHECK_INT(jws_sign(key, &(JwsHeader){ .url = "https://ca.example/" }, "", &text), -EINVAL);
                CHECK_INT(jws_key_authorization(key, "abc", &text), -EINVAL);
                CHECK(!jwk && !text);
        }
}

TEST(key_authorization) {
        static const char *const bad[] = { "", "../../etc/passwd", "a b", "a.b", "abc=", "a\nb", "\xc3\xa4" };
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_free_ char *text = NULL, *thumbprint = NULL, *expected = NULL;

        REQUIRE(jwk_thumbprint(key, &thumbprint) == 0);
        CHECK_UINT(strlen(thumbprint), 43);
        expected = str_printf("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.%s", thumbprint);
        CHECK_INT(jws_key_authorization(key, "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA", &text), 0);
        CHECK_STR(text, expected);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char *none = NULL;

                test_case("token '%s'", bad[i]);
                CHECK_INT(jws_key_authorization(key, bad[i], &none), -EINVAL);
                CHECK(!none);
        }
}

/* An account binding carries the account's public key, is signed with the MAC key, and has neither nonce nor key in its header. */
TEST(account_binding) {
        static const char url[] = "https://ca.example/new-account", mac_key[] = "\x00 any bytes, of any length";
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_secret_ Secret *mac = secret_new(mac_key, sizeof(mac_key) - 1);
        _auto_json_ JsonObject *binding = NULL, *header = NULL, *jwk = NULL;
        _auto_free_ char *input = NULL, *embedded = NULL;
        _auto_free_ void *protected = NULL, *payload = NULL, *signature = NULL;
        _auto_pkey_ EVP_PKEY *hmac = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, (const uint8_t *) mac_key, sizeof(mac_key) - 1);
        _auto_md_ctx_ EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint8_t expected[32];
        size_t n, n_payload, n_signature, n_expected = sizeof(expected);

        REQUIRE(key && mac && hmac && ctx);
        REQUIRE(jws_bind_account(key, "kid \"1\"", mac, url, &binding) == 0);
        CHECK_INT(json_object_object_length(binding), 3);
        REQUIRE(decode(json_get_string(binding, "protected"), &protected, &n) && json_parse(protected, n, &header, NULL) == 0);
        CHECK_STR(json_get_string(header, "alg"), "HS256");
        CHECK_STR(json_get_string(header, "kid"), "kid \"1\"");
        CHECK_STR(json_get_string(header, "url"), url);
        CHECK_INT(json_object_object_length(header), 3);
        REQUIRE(decode(json_get_string(binding, "payload"), &payload, &n_payload));
        REQUIRE(jwk_from_key(key, &jwk) == 0);
        embedded = json_format_short(jwk);
        CHECK_UINT(n_payload, strlen(embedded));
        CHECK_MEM(payload, embedded, n_payload);

        input = str_printf("%s.%s", json_get_string(binding, "protected"), json_get_string(binding, "payload"));
        REQUIRE(decode(json_get_string(binding, "signature"), &signature, &n_signature));
        REQUIRE(EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, hmac, NULL) == 1);
        REQUIRE(EVP_DigestSign(ctx, expected, &n_expected, (const uint8_t *) input, strlen(input)) == 1);
        CHECK_UINT(n_signature, 32);
        CHECK_MEM(signature, expected, 32);
}

TEST(account_binding_needs_a_key_that_signs) {
        _auto_pkey_ EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        _auto_secret_ Secret *mac = secret_new("k", 1);
        JsonObject *binding = NULL;

        CHECK_INT(jws_bind_account(key, "kid", mac, "https://ca.example/", &binding), -EINVAL);
        CHECK(!binding);
}

/* The new key signs for itself; what it says is which account, and which key it takes the place of. */
TEST(key_change) {
        static const char url[] = "https://ca.example/key-change", account[] = "https://ca.example/acct/1";

        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++) {
                _auto_pkey_ EVP_PKEY *key = algorithms[i].curve ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", algorithms[i].curve) : issue_rsa_key();
                _auto_pkey_ EVP_PKEY *old = issue_key();
                _cleanup_(jws_done) Jws j = { 0 };
                _auto_json_ JsonObject *payload = NULL, *jwk = NULL;
                _auto_free_ char *text = NULL, *said = NULL, *real = NULL;

                test_case("to %s", algorithms[i].alg);
                REQUIRE(jws_key_change(key, old, url, account, &text) == 0);
                REQUIRE(open_jws(key, algorithms[i].digest, text, &j));
                CHECK_STR(json_get_string(j.header, "url"), url);
                CHECK(!json_has(j.header, "nonce") && !json_has(j.header, "kid"));
                REQUIRE(json_get_object(j.header, "jwk"));
                REQUIRE(json_parse(j.payload, j.payload_size, &payload, NULL) == 0);
                CHECK_STR(json_get_string(payload, "account"), account);
                CHECK_INT(json_object_object_length(payload), 2);
                REQUIRE(jwk_from_key(old, &jwk) == 0);
                said = json_format_short(json_get_object(payload, "oldKey"));
                real = json_format_short(jwk);
                CHECK_STR(said, real);
        }
}
