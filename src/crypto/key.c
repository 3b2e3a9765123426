/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include <errno.h>
#include <limits.h>

#include <openssl/asn1t.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "crypto/digest.h"

enum {
        GROUP_NAME_MAX = 80,
        ITERATIONS_MAX = 1000000, /* some tenths of a second; OpenSSL and mod_md have 2048 */
};

/* What stands where a curve's name stands and is a key type of its own. */
static const struct {
        const char *name;
        const char *type;     /* as OpenSSL calls it; NULL: refused */
} curve_types[] = {
        { "Ed25519", "ED25519" },
        { "Ed448",   "ED448"   },
        { "X25519",  NULL      },  /* these two agree on secrets and sign nothing */
        { "X448",    NULL      },
        { "SM2",     NULL      },  /* signs with a digest and an identity of its own, which neither JWS nor ACME know */
};

static bool find_curve_type(const char *curve, const char **ret_type) {
        for (size_t i = 0; i < ELEMENTSOF(curve_types); i++)
                if (str_equal_nocase(curve, curve_types[i].name)) {
                        *ret_type = curve_types[i].type;
                        return true;
                }
        return false;
}

/* Names of RFC 8422 and spellings that OpenSSL does not know, although it knows the curve. */
static const struct {
        const char *name, *openssl;
} curve_aliases[] = {
        { "secp192r1", "prime192v1" },
        { "secp256r1", "prime256v1" },
        { "P-192",     "P-192"      },
        { "P-224",     "P-224"      },
        { "P-256",     "P-256"      },
        { "P-384",     "P-384"      },
        { "P-521",     "P-521"      },
};

static const char *openssl_curve(const char *curve) {
        for (size_t i = 0; i < ELEMENTSOF(curve_aliases); i++)
                if (str_equal_nocase(curve, curve_aliases[i].name))
                        return curve_aliases[i].openssl;
        return curve;
}

/* The parameters of a curve, as a key without key: OpenSSL is the judge of names. NULL: it does not know the curve. */
static EVP_PKEY *curve_parameters(const char *curve) {
        _auto_pkey_ctx_ EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        EVP_PKEY *parameters = NULL;

        if (!ctx || EVP_PKEY_paramgen_init(ctx) <= 0 || EVP_PKEY_CTX_set_group_name(ctx, openssl_curve(curve)) <= 0 ||
            EVP_PKEY_paramgen(ctx, &parameters) <= 0)
                return NULL;
        return parameters;
}

static int generate(EVP_PKEY_CTX *ctx, EVP_PKEY **ret) {
        EVP_PKEY *key = NULL;

        if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0 || EVP_PKEY_generate(ctx, &key) <= 0)
                return openssl_failure();
        *ret = key;
        return 0;
}

static unsigned rsa_bits(const KeySpec *spec) {
        return spec->type == KEY_TYPE_RSA && spec->bits != 0 ? spec->bits : KEY_SPEC_RSA_BITS_DEFAULT;
}

static int make_rsa(const KeySpec *spec, EVP_PKEY **ret, Problem **ret_problem) {
        unsigned bits = rsa_bits(spec);
        EVP_PKEY *key;

        if (bits < KEY_SPEC_RSA_BITS_MIN || bits > KEY_SPEC_RSA_BITS_MAX) {
                problem_set(ret_problem, PROBLEM_TYPE_SETTING, "An RSA key of %u bits was asked for; it must have %d to %d", bits,
                            KEY_SPEC_RSA_BITS_MIN, KEY_SPEC_RSA_BITS_MAX);
                return -EINVAL;
        }
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) bits);
        if (!key)
                return openssl_failure();
        *ret = key;
        return 0;
}

static int make_edwards(const char *curve, const char *type, EVP_PKEY **ret, Problem **ret_problem) {
        _auto_pkey_ctx_ EVP_PKEY_CTX *ctx = NULL;

        if (!type) {
                problem_set(ret_problem, PROBLEM_TYPE_SETTING, "Keys of curve '%s' cannot sign certificate requests", curve);
                return -EINVAL;
        }
        ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
        return generate(ctx, ret);
}

static int make_ec(const KeySpec *spec, EVP_PKEY **ret, Problem **ret_problem) {
        _auto_pkey_ EVP_PKEY *parameters = NULL;
        _auto_pkey_ctx_ EVP_PKEY_CTX *ctx = NULL;
        const char *type;

        if (memchr(spec->curve, 0, sizeof(spec->curve)) && find_curve_type(spec->curve, &type))
                return make_edwards(spec->curve, type, ret, ret_problem);
        if (memchr(spec->curve, 0, sizeof(spec->curve)))
                parameters = curve_parameters(spec->curve);
        if (!parameters) {
                problem_set(ret_problem, PROBLEM_TYPE_SETTING, "OpenSSL knows no elliptic curve '%.*s'", (int) sizeof(spec->curve),
                            spec->curve);
                return -EINVAL;
        }
        ctx = EVP_PKEY_CTX_new_from_pkey(NULL, parameters, NULL);
        return generate(ctx, ret);
}

int key_make(const KeySpec *spec, EVP_PKEY **ret, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();

        assert(spec);
        assert(ret);

        if (spec->type == KEY_TYPE_EC)
                return make_ec(spec, ret, ret_problem);
        return make_rsa(spec, ret, ret_problem);
}

int key_to_pem(EVP_PKEY *key, Secret **ret) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_bio_ BIO *bio = BIO_new(BIO_s_secmem()); /* wipes what it held */
        char *data = NULL;
        Secret *pem;
        long n;

        assert(key);
        assert(ret);

        if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
                return openssl_failure();
        n = BIO_get_mem_data(bio, &data);
        if (n <= 0)
                return -EIO;
        pem = secret_new(data, (size_t) n);
        if (!pem)
                return -ENOMEM;
        *ret = pem;
        return 0;
}

typedef struct Protection {
        const Secret *passphrase; /* NULL: nobody is asked for one */
        bool asked;
} Protection;

/* OpenSSL would ask at the terminal if there were no callback at all. */
static int give_passphrase(char *buffer, int size, int writing, void *userdata) {
        Protection *p = userdata;

        p->asked = true;
        if (!p->passphrase || size < 0 || p->passphrase->size > (size_t) size)
                return -1;
        memcpy(buffer, p->passphrase->data, p->passphrase->size);
        return (int) p->passphrase->size;
}

static bool has_private_part(EVP_PKEY *key) {
        size_t n = 0;

        if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
                return EVP_PKEY_get_raw_private_key(key, NULL, &n) == 1 && n > 0;
        if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "EC")) {
                BIGNUM *bn = NULL;
                const char *part = EVP_PKEY_is_a(key, "EC") ? OSSL_PKEY_PARAM_PRIV_KEY : OSSL_PKEY_PARAM_RSA_D;
                bool has = EVP_PKEY_get_bn_param(key, part, &bn) == 1;

                BN_clear_free(bn);
                return has;
        }
        return false;
}

/* --- What a passphrase costs: the file says how often it is hashed, up to days --- */

static void cleanup_x509_sig(X509_SIG **p) {
        X509_SIG_free(*p);
}

static void cleanup_pbe2(PBE2PARAM **p) {
        PBE2PARAM_free(*p);
}

static void cleanup_pbkdf2(PBKDF2PARAM **p) {
        PBKDF2PARAM_free(*p);
}

/* PBES2 with PBKDF2 (RFC 8018), as OpenSSL writes by default. */
static bool is_cheap(const X509_ALGOR *algorithm) {
        _cleanup_(cleanup_pbkdf2) PBKDF2PARAM *derivation = NULL;
        _cleanup_(cleanup_pbe2) PBE2PARAM *scheme = NULL;
        int64_t iterations;

        if (OBJ_obj2nid(algorithm->algorithm) != NID_pbes2)
                return false;
        scheme = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter);
        if (!scheme || OBJ_obj2nid(scheme->keyfunc->algorithm) != NID_id_pbkdf2)
                return false;
        derivation = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), scheme->keyfunc->parameter);
        return derivation && ASN1_INTEGER_get_int64(&iterations, derivation->iter) == 1 && iterations >= 1 && iterations <= ITERATIONS_MAX;
}

static bool is_cheap_pkcs8(const unsigned char *der, long size) {
        _cleanup_(cleanup_x509_sig) X509_SIG *protected = d2i_X509_SIG(NULL, &der, size);
        const X509_ALGOR *algorithm;

        if (!protected)
                return false;
        X509_SIG_get0(protected, &algorithm, NULL);
        return is_cheap(algorithm);
}

/* All of them: which one OpenSSL takes is its own matter. */
static bool all_are_cheap(const char *pem, size_t size) {
        _auto_bio_ BIO *bio = BIO_new_mem_buf(pem, (int) size);

        for (;;) {
                _auto_openssl_ char *type = NULL, *header = NULL;
                unsigned char *data = NULL;
                bool cheap;
                long n = 0;

                if (!bio || PEM_read_bio(bio, &type, &header, &data, &n) != 1)
                        return bio != NULL;
                cheap = !str_equal(type, PEM_STRING_PKCS8) || is_cheap_pkcs8(data, n);
                OPENSSL_clear_free(data, (size_t) n);
                if (!cheap)
                        return false;
        }
}

static int refuse_pem(const Protection *p, Problem **ret_problem) {
        _auto_free_ char *errors = openssl_errors();

        if (p->asked && p->passphrase)
                problem_set(ret_problem, PROBLEM_TYPE_STORE, "The private key is protected by another passphrase, or damaged");
        else if (p->asked)
                problem_set(ret_problem, PROBLEM_TYPE_STORE,
                            "The private key is protected by a passphrase, and nobody is here to give it");
        else
                problem_set(ret_problem, PROBLEM_TYPE_STORE, "There is no private key in PEM: %s", str_or(errors, "out of memory"));
        return -EBADMSG;
}

static int read_pem(const char *pem, size_t size, Protection *protection, EVP_PKEY **ret, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_bio_ BIO *bio = NULL;

        assert(pem || size == 0);
        assert(ret);

        if (size == 0 || size > KEY_PEM_MAX) {
                problem_set(ret_problem, PROBLEM_TYPE_STORE, "A private key in PEM has 1 to %zu bytes, not %zu", KEY_PEM_MAX, size);
                return -EBADMSG;
        }
        if (protection->passphrase && !all_are_cheap(pem, size)) {
                problem_set(ret_problem, PROBLEM_TYPE_STORE, "The private key is protected by other means than PBKDF2 with at most %d iterations", ITERATIONS_MAX);
                return -EBADMSG;
        }
        bio = BIO_new_mem_buf(pem, (int) size);
        if (!bio)
                return openssl_failure();
        key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, protection);
        if (!key)
                return refuse_pem(protection, ret_problem);
        if (!has_private_part(key)) {
                problem_set(ret_problem, PROBLEM_TYPE_STORE,
                            "The key is of type %s, or has no private part; RSA, EC, Ed25519 and Ed448 are of use",
                            str_or(EVP_PKEY_get0_type_name(key), "unknown"));
                return -EBADMSG;
        }
        if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) > KEY_SPEC_RSA_BITS_MAX) { /* each signature would take minutes */
                problem_set(ret_problem, PROBLEM_TYPE_STORE, "An RSA key of %d bits is too large: no more than %d are of use", EVP_PKEY_get_bits(key), KEY_SPEC_RSA_BITS_MAX);
                return -EBADMSG;
        }
        *ret = take_ptr(key);
        return 0;
}

/* The older form says so in a header (RFC 1421), PKCS#8 by its name. */
static bool is_protected(const char *type, const char *header) {
        return str_equal(type, PEM_STRING_PKCS8) || strstr(header, "ENCRYPTED");
}

bool key_pem_is_protected(const char *pem, size_t size) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_bio_ BIO *bio = NULL;

        assert(pem || size == 0);

        if (size == 0 || size > KEY_PEM_MAX)
                return false;
        bio = BIO_new_mem_buf(pem, (int) size);
        for (;;) {
                _auto_openssl_ char *type = NULL, *header = NULL;
                unsigned char *data = NULL;
                long n = 0;

                if (!bio || PEM_read_bio(bio, &type, &header, &data, &n) != 1)
                        return false;
                OPENSSL_clear_free(data, (size_t) n);
                if (str_has_suffix(type, "PRIVATE KEY"))
                        return is_protected(type, header);
        }
}

int key_from_pem(const char *pem, size_t size, EVP_PKEY **ret, Problem **ret_problem) {
        Protection protection = { 0 };

        return read_pem(pem, size, &protection, ret, ret_problem);
}

int key_from_protected_pem(const char *pem, size_t size, const Secret *passphrase, EVP_PKEY **ret, Problem **ret_problem) {
        Protection protection = { .passphrase = passphrase };

        assert(passphrase);

        return read_pem(pem, size, &protection, ret, ret_problem);
}

bool key_works(EVP_PKEY *key) {
        static const unsigned char text[] = "md-manager";
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_md_ctx_ EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
        _auto_openssl_ uint8_t *signature = NULL;
        size_t n = 0;

        assert(key);

        if (!sign || !verify || EVP_DigestSignInit(sign, NULL, openssl_signing_digest(key), NULL, key) != 1 ||
            EVP_DigestSign(sign, NULL, &n, text, sizeof(text)) != 1)
                return false;
        signature = OPENSSL_malloc(n);
        if (!signature || EVP_DigestSign(sign, signature, &n, text, sizeof(text)) != 1)
                return false;
        return EVP_DigestVerifyInit(verify, NULL, openssl_signing_digest(key), NULL, key) == 1 &&
                EVP_DigestVerify(verify, signature, n, text, sizeof(text)) == 1;
}

int key_public_sha256(EVP_PKEY *key, char **ret_hex) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_openssl_ uint8_t *der = NULL;
        int n;

        assert(key);
        assert(ret_hex);

        n = i2d_PUBKEY(key, &der);
        if (n <= 0)
                return openssl_failure();
        return digest_sha256_hex(der, (size_t) n, ret_hex);
}

static bool same_curve(EVP_PKEY *key, const char *curve) {
        _auto_pkey_ EVP_PKEY *parameters = NULL;
        char have[GROUP_NAME_MAX], want[GROUP_NAME_MAX];
        const char *type;
        size_t n;

        if (find_curve_type(curve, &type))
                return type && EVP_PKEY_is_a(key, type);
        if (!EVP_PKEY_is_a(key, "EC"))
                return false;
        parameters = curve_parameters(curve);
        return parameters && EVP_PKEY_get_group_name(parameters, want, sizeof(want), &n) == 1 &&
               EVP_PKEY_get_group_name(key, have, sizeof(have), &n) == 1 && str_equal_nocase(have, want);
}

bool key_matches_spec(EVP_PKEY *key, const KeySpec *spec) {
        _auto_error_queue_ int queue = openssl_queue_clear();

        assert(key);
        assert(spec);

        if (spec->type == KEY_TYPE_EC)
                return memchr(spec->curve, 0, sizeof(spec->curve)) && same_curve(key, spec->curve);
        return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) == (int) rsa_bits(spec);
}
