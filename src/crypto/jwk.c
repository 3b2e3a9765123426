/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jwk.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/secret.h"
#include "base/string-util.h"
#include "crypto/key.h"

enum {
        NUMBERS_MAX = 8,
        EC_WIDTH_MAX = 48,
};

DEFINE_OPENSSL_CLEANUP(OSSL_PARAM_BLD, param_bld, OSSL_PARAM_BLD_free)
DEFINE_OPENSSL_CLEANUP(BN_CTX, bn_ctx, BN_CTX_free)
DEFINE_OPENSSL_CLEANUP(OSSL_PARAM, params, OSSL_PARAM_free)

typedef struct Number {
        const char *member, *parameter;
} Number;

static const Number rsa_numbers[NUMBERS_MAX] = {
        { "n", OSSL_PKEY_PARAM_RSA_N },          { "e", OSSL_PKEY_PARAM_RSA_E },          { "d", OSSL_PKEY_PARAM_RSA_D },
        { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },    { "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },    { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
        { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 }, { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
};

static const struct {
        const char *crv, *group;
        size_t width;
} curves[] = {
        { "P-256", "prime256v1", 32 },
        { "P-384", "secp384r1", 48 },
};

typedef struct Numbers {
        BIGNUM *items[NUMBERS_MAX];
        size_t n;
} Numbers;

static void numbers_done(Numbers *n) {
        for (size_t i = 0; i < n->n; i++)
                BN_clear_free(n->items[i]);
}

static int refuse(Problem **ret_problem, const char *why) {
        (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "The JSON Web Key is of no use: %s", why);
        return -EBADMSG;
}

static int read_bytes(JsonObject *jwk, const char *member, size_t max, void **ret, size_t *ret_size, Problem **ret_problem) {
        const char *text = json_get_string(jwk, member);
        void *data;
        size_t n;
        int r;

        if (!text) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "The JSON Web Key has no member \"%s\" with a text", member);
                return -EBADMSG;
        }
        r = base64url_decode(text, strlen(text), &data, &n);
        if (r == 0 && (n == 0 || n > max)) {
                secret_wipe(data, n);
                free(data);
                r = -EBADMSG;
        }
        if (r == -EBADMSG)
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Member \"%s\" of the JSON Web Key is no number of 1 to %zu bytes in base64url", member, max);
        if (r < 0)
                return r;
        *ret = data;
        *ret_size = n;
        return 0;
}

static int read_number(JsonObject *jwk, const char *member, size_t max, BIGNUM **ret, Problem **ret_problem) {
        void *data = NULL;
        size_t n = 0;
        int r = read_bytes(jwk, member, max, &data, &n, ret_problem);

        if (r < 0)
                return r;
        *ret = BN_bin2bn(data, (int) n, NULL);
        secret_wipe(data, n);
        free(data);
        return *ret ? 0 : openssl_failure();
}

/* OpenSSL goes without the factors when they are of no use; whoever reads the key later may not. 'x' is the exponent for the factor 'p'. */
static bool exponent_fits(const BIGNUM *x, const BIGNUM *p, const BIGNUM *d, BN_CTX *ctx) {
        _auto_bn_ BIGNUM *less = BN_dup(p), *rest = BN_new();

        return less && rest && BN_sub_word(less, 1) == 1 && BN_mod(rest, d, less, ctx) == 1 && BN_cmp(rest, x) == 0;
}

static bool factors_fit(BIGNUM *const *numbers, BN_CTX *ctx) {
        const BIGNUM *n = numbers[0], *d = numbers[2], *p = numbers[3], *q = numbers[4], *dp = numbers[5], *dq = numbers[6], *qi = numbers[7];
        _auto_bn_ BIGNUM *product = BN_new();

        if (!product || BN_mul(product, p, q, ctx) != 1 || BN_cmp(product, n) != 0)
                return false;
        if (!exponent_fits(dp, p, d, ctx) || !exponent_fits(dq, q, d, ctx))
                return false;
        return BN_mod_mul(product, qi, q, p, ctx) == 1 && BN_is_one(product);
}

static int make(const char *type, OSSL_PARAM_BLD *builder, EVP_PKEY **ret, Problem **ret_problem) {
        _cleanup_(cleanup_params) OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
        _auto_pkey_ctx_ EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
        _auto_pkey_ EVP_PKEY *key = NULL;

        if (!parameters || !ctx)
                return openssl_failure();
        if (EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, parameters) != 1)
                return refuse(ret_problem, "its numbers are those of no key");
        if (!key_works(key))
                return refuse(ret_problem, "its private half does not belong to the public one");
        *ret = take_ptr(key);
        return 0;
}

static int read_rsa(JsonObject *jwk, EVP_PKEY **ret, Problem **ret_problem) {
        _cleanup_(cleanup_param_bld) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
        _cleanup_(cleanup_bn_ctx) BN_CTX *ctx = BN_CTX_secure_new();
        _cleanup_(numbers_done) Numbers numbers = { .n = NUMBERS_MAX };

        if (!builder || !ctx)
                return openssl_failure();
        for (size_t i = 0; i < ELEMENTSOF(rsa_numbers); i++) {
                int r = read_number(jwk, rsa_numbers[i].member, JWK_RSA_BITS_MAX / 8, &numbers.items[i], ret_problem);

                if (r < 0)
                        return r;
                if (OSSL_PARAM_BLD_push_BN(builder, rsa_numbers[i].parameter, numbers.items[i]) != 1)
                        return openssl_failure();
        }
        if (BN_num_bits(numbers.items[0]) < KEY_SPEC_RSA_BITS_MIN)
                return refuse(ret_problem, "an RSA key has at least 2048 bits");
        if (!factors_fit(numbers.items, ctx))
                return refuse(ret_problem, "its numbers do not belong together");
        return make("RSA", builder, ret, ret_problem);
}

/* An uncompressed point: 4, x, y, each number of the width of the field. */
static int read_point(JsonObject *jwk, size_t width, unsigned char point[static 1 + 2 * EC_WIDTH_MAX], Problem **ret_problem) {
        static const char *const members[] = { "x", "y" };

        point[0] = 4;
        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                _auto_free_ void *data = NULL;
                size_t n = 0;
                int r = read_bytes(jwk, members[i], width, &data, &n, ret_problem);

                if (r < 0)
                        return r;
                if (n != width)
                        return refuse(ret_problem, "a coordinate has not the width of the curve's field");
                memcpy(point + 1 + i * width, data, width);
        }
        return 0;
}

static int read_ec(JsonObject *jwk, EVP_PKEY **ret, Problem **ret_problem) {
        _cleanup_(cleanup_param_bld) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
        _cleanup_(numbers_done) Numbers numbers = { .n = 1 };
        unsigned char point[1 + 2 * EC_WIDTH_MAX];
        const char *crv = json_get_string(jwk, "crv");
        size_t i = 0;
        int r;

        if (!builder)
                return openssl_failure();
        while (i < ELEMENTSOF(curves) && !str_equal(crv, curves[i].crv))
                i++;
        if (i == ELEMENTSOF(curves))
                return refuse(ret_problem, "its curve is neither P-256 nor P-384");
        r = read_point(jwk, curves[i].width, point, ret_problem);
        if (r == 0)
                r = read_number(jwk, "d", curves[i].width, &numbers.items[0], ret_problem);
        if (r < 0)
                return r;
        if (OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curves[i].group, 0) != 1 ||
            OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * curves[i].width) != 1 ||
            OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, numbers.items[0]) != 1)
                return openssl_failure();
        return make("EC", builder, ret, ret_problem);
}

int jwk_private_key(JsonObject *jwk, EVP_PKEY **ret, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        const char *type = json_get_string(jwk, "kty");

        assert(ret);

        if (str_equal(type, "RSA"))
                return read_rsa(jwk, ret, ret_problem);
        if (str_equal(type, "EC"))
                return read_ec(jwk, ret, ret_problem);
        return refuse(ret_problem, "its type is neither RSA nor EC");
}
