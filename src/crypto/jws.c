/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jws.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"
#include "crypto/digest.h"

/* RFC 7518 section 3.1. Numbers of an EC key have the width of the curve's field, leading zeros included (sections 3.4 and 6.2.1). */
typedef struct Algorithm {
        const char *alg;
        const char *type;   /* as OpenSSL calls it */
        const char *group;  /* EC: as OpenSSL calls it */
        const char *crv;    /* EC: as RFC 7518 calls it */
        const char *digest;
        int width;          /* EC: bytes of one number; 0: RSA */
} Algorithm;

enum {
        WIDTH_MAX = 48,
};

static const Algorithm algorithms[] = {
        { "ES256", "EC",  "prime256v1", "P-256", "SHA256", 32 },
        { "ES384", "EC",  "secp384r1",  "P-384", "SHA384", 48 },
        { "RS256", "RSA", NULL,         NULL,    "SHA256", 0  },
};

static const Algorithm *find_algorithm(EVP_PKEY *key) {
        char group[80] = "";
        size_t n;

        if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof(group), &n) != 1)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++) {
                const Algorithm *a = &algorithms[i];

                if (EVP_PKEY_is_a(key, a->type) && (!a->group || str_equal(a->group, group)))
                        return a;
        }
        return NULL;
}

const char *jws_algorithm(EVP_PKEY *key) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        const Algorithm *a = find_algorithm(key);

        return a ? a->alg : NULL;
}

/* One number of the public key as base64url, at least 'width' bytes wide. */
static int add_number(EVP_PKEY *key, const char *parameter, int width, JsonObject *o, const char *member) {
        _auto_bn_ BIGNUM *bn = NULL;
        _auto_free_ uint8_t *bytes = NULL;
        _auto_free_ char *text = NULL;
        int n;

        if (EVP_PKEY_get_bn_param(key, parameter, &bn) != 1)
                return openssl_failure();
        n = MAX_OF(BN_num_bytes(bn), width);
        bytes = malloc((size_t) n + 1);
        if (!bytes)
                return -ENOMEM;
        if (BN_bn2binpad(bn, bytes, n) != n)
                return openssl_failure();
        text = base64url_encode(bytes, (size_t) n);
        if (!text)
                return -ENOMEM;
        return json_add_string(o, member, text);
}

static int add_ec(EVP_PKEY *key, const Algorithm *a, JsonObject *o) {
        int r;

        r = json_add_string(o, "crv", a->crv);
        if (r == 0)
                r = json_add_string(o, "kty", "EC");
        if (r == 0)
                r = add_number(key, OSSL_PKEY_PARAM_EC_PUB_X, a->width, o, "x");
        if (r == 0)
                r = add_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, a->width, o, "y");
        return r;
}

static int add_rsa(EVP_PKEY *key, JsonObject *o) {
        int r;

        r = add_number(key, OSSL_PKEY_PARAM_RSA_E, 0, o, "e");
        if (r == 0)
                r = json_add_string(o, "kty", "RSA");
        if (r == 0)
                r = add_number(key, OSSL_PKEY_PARAM_RSA_N, 0, o, "n");
        return r;
}

static int make_jwk(EVP_PKEY *key, const Algorithm *a, JsonObject **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();
        int r;

        if (!o)
                return -ENOMEM;
        r = a->width > 0 ? add_ec(key, a, o) : add_rsa(key, o);
        if (r < 0)
                return r;
        *ret = take_ptr(o);
        return 0;
}

int jwk_from_key(EVP_PKEY *key, JsonObject **ret) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        const Algorithm *a;

        assert(key);
        assert(ret);

        a = find_algorithm(key);
        if (!a)
                return -EINVAL;
        return make_jwk(key, a, ret);
}

int jwk_thumbprint(EVP_PKEY *key, char **ret) {
        _auto_json_ JsonObject *jwk = NULL;
        _auto_free_ char *text = NULL;
        uint8_t digest[DIGEST_SHA256_SIZE];
        char *thumbprint;
        int r;

        assert(key);
        assert(ret);

        r = jwk_from_key(key, &jwk);
        if (r < 0)
                return r;
        /* Without blanks and in the order of insertion: just what RFC 7638 section 3 hashes. */
        text = json_format_short(jwk);
        if (!text)
                return -ENOMEM;
        r = digest_sha256(text, strlen(text), digest);
        if (r < 0)
                return r;
        thumbprint = base64url_encode(digest, sizeof(digest));
        if (!thumbprint)
                return -ENOMEM;
        *ret = thumbprint;
        return 0;
}

int jws_key_authorization(EVP_PKEY *account_key, const char *token, char **ret) {
        _auto_free_ char *thumbprint = NULL;
        char *authorization;
        int r;

        assert(account_key);
        assert(token);
        assert(ret);

        if (!base64url_is_valid(token))
                return -EINVAL;
        r = jwk_thumbprint(account_key, &thumbprint);
        if (r < 0)
                return r;
        authorization = str_printf("%s.%s", token, thumbprint);
        if (!authorization)
                return -ENOMEM;
        *ret = authorization;
        return 0;
}

static int encode_json(JsonObject *o, char **ret_base64url) {
        _auto_free_ char *text = json_format_short(o);
        char *encoded = text ? base64url_encode(text, strlen(text)) : NULL;

        if (!encoded)
                return -ENOMEM;
        *ret_base64url = encoded;
        return 0;
}

static int make_header(EVP_PKEY *key, const Algorithm *a, const JwsHeader *header, char **ret_base64url) {
        _auto_json_ JsonObject *o = json_object_new_object();
        JsonObject *jwk = NULL;
        int r;

        if (!o)
                return -ENOMEM;
        r = json_add_string(o, "alg", a->alg);
        if (r == 0 && header->kid)
                r = json_add_string(o, "kid", header->kid);
        if (r == 0 && !header->kid) {
                r = make_jwk(key, a, &jwk);
                if (r == 0)
                        r = json_add_object(o, "jwk", jwk);
        }
        if (r == 0)
                r = json_add_string(o, "nonce", header->nonce); /* NULL adds nothing */
        if (r == 0)
                r = json_add_string(o, "url", header->url);
        return r < 0 ? r : encode_json(o, ret_base64url);
}

/* What OpenSSL makes of ECDSA is a DER sequence; RFC 7518 section 3.4 wants both numbers side by side. */
static int encode_ecdsa(const uint8_t *der, size_t size, int width, char **ret_base64url) {
        const uint8_t *p = der;
        uint8_t raw[2 * WIDTH_MAX];
        ECDSA_SIG *sig;
        bool fits;

        assert(width <= WIDTH_MAX);

        sig = d2i_ECDSA_SIG(NULL, &p, (long) size);
        if (!sig)
                return openssl_failure();
        fits = BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, width) == width &&
               BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + width, width) == width;
        ECDSA_SIG_free(sig);
        if (!fits)
                return openssl_failure();
        *ret_base64url = base64url_encode(raw, 2 * (size_t) width);
        return *ret_base64url ? 0 : -ENOMEM;
}

static int make_signature(EVP_PKEY *key, const Algorithm *a, const char *input, char **ret_base64url) {
        _auto_md_ctx_ EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        _auto_free_ uint8_t *signature = NULL;
        size_t n = 0;

        if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, a->digest, NULL, NULL, key, NULL) != 1 ||
            EVP_DigestSign(ctx, NULL, &n, (const uint8_t *) input, strlen(input)) != 1)
                return openssl_failure();
        signature = malloc(n + 1);
        if (!signature)
                return -ENOMEM;
        if (EVP_DigestSign(ctx, signature, &n, (const uint8_t *) input, strlen(input)) != 1)
                return openssl_failure();
        if (a->width > 0)
                return encode_ecdsa(signature, n, a->width, ret_base64url);
        *ret_base64url = base64url_encode(signature, n);
        return *ret_base64url ? 0 : -ENOMEM;
}

static int format_jws(const char *header, const char *payload, const char *signature, char **ret) {
        /* Nothing to escape: all three are base64url. An empty payload is a member too (RFC 8555 section 6.3). */
        char *text = str_printf("{\"protected\":\"%s\",\"payload\":\"%s\",\"signature\":\"%s\"}", header, payload, signature);

        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

int jws_sign(EVP_PKEY *key, const JwsHeader *header, const char *payload, char **ret) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_free_ char *protected = NULL, *body = NULL, *input = NULL, *signature = NULL;
        const Algorithm *a;
        int r;

        assert(key);
        assert(header && header->url);
        assert(payload);
        assert(ret);

        a = find_algorithm(key);
        if (!a)
                return -EINVAL;
        r = make_header(key, a, header, &protected);
        if (r < 0)
                return r;
        body = base64url_encode(payload, strlen(payload));
        if (!body)
                return -ENOMEM;
        input = str_printf("%s.%s", protected, body);
        if (!input)
                return -ENOMEM;
        r = make_signature(key, a, input, &signature);
        if (r < 0)
                return r;
        return format_jws(protected, body, signature, ret);
}

int jws_key_change(EVP_PKEY *new_key, EVP_PKEY *old_key, const char *url, const char *account_url, char **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();
        _auto_free_ char *payload = NULL;
        JsonObject *old = NULL;
        JwsHeader header = { .url = url };
        int r;

        assert(new_key);
        assert(old_key);
        assert(account_url);
        assert(ret);

        r = o ? json_add_string(o, "account", account_url) : -ENOMEM;
        if (r == 0)
                r = jwk_from_key(old_key, &old);
        if (r == 0)
                r = json_add_object(o, "oldKey", old);
        if (r < 0)
                return r;
        payload = json_format_short(o);
        return payload ? jws_sign(new_key, &header, payload, ret) : -ENOMEM;
}

static int make_binding_header(const char *kid, const char *url, char **ret_base64url) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_string(o, "alg", "HS256") < 0 || json_add_string(o, "kid", kid) < 0 || json_add_string(o, "url", url) < 0)
                return -ENOMEM;
        return encode_json(o, ret_base64url);
}

static int make_mac(const Secret *key, const char *input, char **ret_base64url) {
        uint8_t mac[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        if (!HMAC(EVP_sha256(), key->data, (int) key->size, (const uint8_t *) input, strlen(input), mac, &n))
                return openssl_failure();
        *ret_base64url = base64url_encode(mac, n);
        return *ret_base64url ? 0 : -ENOMEM;
}

int jws_bind_account(EVP_PKEY *account_key, const char *kid, const Secret *mac_key, const char *url, JsonObject **ret) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_free_ char *protected = NULL, *body = NULL, *input = NULL, *signature = NULL;
        _auto_json_ JsonObject *jwk = NULL, *o = json_object_new_object();
        int r;

        assert(account_key);
        assert(kid);
        assert(mac_key && mac_key->size <= INT_MAX);
        assert(url);
        assert(ret);

        r = jwk_from_key(account_key, &jwk);
        if (r == 0)
                r = encode_json(jwk, &body);
        if (r == 0)
                r = make_binding_header(kid, url, &protected);
        if (r < 0)
                return r;
        input = str_printf("%s.%s", protected, body);
        if (!input)
                return -ENOMEM;
        r = make_mac(mac_key, input, &signature);
        if (r < 0)
                return r;
        if (!o || json_add_string(o, "protected", protected) < 0 || json_add_string(o, "payload", body) < 0 ||
            json_add_string(o, "signature", signature) < 0)
                return -ENOMEM;
        *ret = take_ptr(o);
        return 0;
}
