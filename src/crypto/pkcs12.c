/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pkcs12.h"

#include <errno.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/cleanup.h"
#include "crypto/digest.h"
#include "crypto/key.h"

enum {
        SALT_SIZE = 16, /* that of an initialization vector, too */
        ITERATIONS = PKCS12_DEFAULT_ITER,
};

DEFINE_OPENSSL_CLEANUP(PKCS12, pkcs12, PKCS12_free)
DEFINE_OPENSSL_CLEANUP(PKCS7, pkcs7, PKCS7_free)
DEFINE_OPENSSL_CLEANUP(PKCS8_PRIV_KEY_INFO, pkcs8, PKCS8_PRIV_KEY_INFO_free)
DEFINE_OPENSSL_CLEANUP(PKCS12_SAFEBAG, bag, PKCS12_SAFEBAG_free)
DEFINE_OPENSSL_CLEANUP(X509_ALGOR, algorithm, X509_ALGOR_free)
DEFINE_OPENSSL_CLEANUP(X509_SIG, sealed, X509_SIG_free)

static void cleanup_bags(STACK_OF(PKCS12_SAFEBAG) **stack) {
        sk_PKCS12_SAFEBAG_pop_free(*stack, PKCS12_SAFEBAG_free);
}

static void cleanup_safes(STACK_OF(PKCS7) **stack) {
        sk_PKCS7_pop_free(*stack, PKCS7_free);
}

typedef struct Making {
        const CertChain *chain;
        EVP_PKEY *key;
        const char *name, *password;
        uint8_t seed[DIGEST_SHA256_SIZE];
        STACK_OF(PKCS7) *safes;
} Making;

/* --- Salts --- */

static int hash_certificates(EVP_MD_CTX *ctx, const CertChain *chain) {
        for (size_t i = 0; i < chain->n; i++) {
                _auto_openssl_ unsigned char *der = NULL;
                int size = i2d_X509(chain->certs[i], &der);

                if (size < 0 || EVP_DigestUpdate(ctx, der, (size_t) size) != 1)
                        return openssl_failure();
        }
        return 0;
}

/* Salts need not be random, but no two contents may share them, and nobody may know them before: the key makes sure of both. The password stays out of it: a salt
 * is for everybody to see, and a way to try passwords at no cost. */
static int seed(Making *m) {
        _auto_md_ctx_ EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        _auto_secret_ Secret *key = NULL;
        int r;

        if (!m->key)
                return RAND_bytes(m->seed, sizeof(m->seed)) == 1 ? 0 : openssl_failure();
        r = key_to_pem(m->key, &key);
        if (r < 0)
                return r;
        if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 || EVP_DigestUpdate(ctx, key->data, key->size) != 1 ||
            EVP_DigestUpdate(ctx, m->name, strlen(m->name) + 1) != 1)
                return openssl_failure();
        r = hash_certificates(ctx, m->chain);
        if (r < 0)
                return r;
        return EVP_DigestFinal_ex(ctx, m->seed, NULL) == 1 ? 0 : openssl_failure();
}

static int make_salt(const Making *m, char purpose, uint8_t ret[static SALT_SIZE]) {
        uint8_t text[DIGEST_SHA256_SIZE + 1], digest[DIGEST_SHA256_SIZE];
        int r;

        memcpy(text, m->seed, sizeof(m->seed));
        text[sizeof(m->seed)] = (uint8_t) purpose;
        r = digest_sha256(text, sizeof(text), digest);
        if (r == 0)
                memcpy(ret, digest, SALT_SIZE);
        return r;
}

/* PBES2 (RFC 8018) with AES-256. */
static X509_ALGOR *choose_cipher(const Making *m, char salt_purpose, char vector_purpose) {
        uint8_t salt[SALT_SIZE], vector[SALT_SIZE];

        if (make_salt(m, salt_purpose, salt) < 0 || make_salt(m, vector_purpose, vector) < 0)
                return NULL;
        return PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), ITERATIONS, salt, sizeof(salt), vector, NID_hmacWithSHA256);
}

/* --- What is in it --- */

/* The key and its certificate have the same name and number: that is how they are found to belong together. */
static bool name_bag(const Making *m, PKCS12_SAFEBAG *bag) {
        unsigned char id[EVP_MAX_MD_SIZE];
        unsigned n;

        if (PKCS12_add_friendlyname_utf8(bag, m->name, -1) != 1)
                return false;
        return !m->key || (X509_digest(m->chain->certs[0], EVP_sha256(), id, &n) == 1 && PKCS12_add_localkeyid(bag, id, (int) n) == 1);
}

static int add_safe(Making *m, PKCS7 **safe) {
        if (!*safe || sk_PKCS7_push(m->safes, *safe) <= 0)
                return openssl_failure();
        *safe = NULL;
        return 0;
}

static PKCS7 *seal_bags(const Making *m, STACK_OF(PKCS12_SAFEBAG) *bags) {
        _cleanup_(cleanup_algorithm) X509_ALGOR *cipher = choose_cipher(m, 'c', 'C');
        _cleanup_(cleanup_pkcs7) PKCS7 *safe = PKCS7_new();
        PKCS7_ENC_CONTENT *content;

        if (!cipher || !safe || PKCS7_set_type(safe, NID_pkcs7_encrypted) != 1)
                return NULL;
        content = safe->d.encrypted->enc_data;
        content->enc_data = PKCS12_item_i2d_encrypt(cipher, ASN1_ITEM_rptr(PKCS12_SAFEBAGS), m->password, (int) strlen(m->password), bags, 1);
        if (!content->enc_data)
                return NULL;
        X509_ALGOR_free(content->algorithm);
        content->algorithm = take_ptr(cipher);
        return take_ptr(safe);
}

static int add_certificates(Making *m) {
        _cleanup_(cleanup_bags) STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
        _cleanup_(cleanup_pkcs7) PKCS7 *safe = NULL;

        for (size_t i = 0; i < m->chain->n; i++) {
                PKCS12_SAFEBAG *bag = PKCS12_add_cert(&bags, m->chain->certs[i]);

                if (!bag || (i == 0 && !name_bag(m, bag)))
                        return openssl_failure();
        }
        safe = seal_bags(m, bags);
        return add_safe(m, &safe);
}

static PKCS12_SAFEBAG *seal_key(const Making *m) {
        _cleanup_(cleanup_algorithm) X509_ALGOR *cipher = choose_cipher(m, 'k', 'K');
        _cleanup_(cleanup_pkcs8) PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(m->key);
        _cleanup_(cleanup_sealed) X509_SIG *sealed = NULL;
        PKCS12_SAFEBAG *bag;

        if (!cipher || !plain)
                return NULL;
        sealed = PKCS8_set0_pbe(m->password, (int) strlen(m->password), plain, cipher);
        if (!sealed)
                return NULL;
        cipher = NULL; /* it is its part */
        bag = PKCS12_SAFEBAG_create0_pkcs8(sealed);
        if (bag)
                sealed = NULL;
        return bag;
}

static int add_key(Making *m) {
        _cleanup_(cleanup_bags) STACK_OF(PKCS12_SAFEBAG) *bags = sk_PKCS12_SAFEBAG_new_null();
        _cleanup_(cleanup_bag) PKCS12_SAFEBAG *bag = seal_key(m);
        _cleanup_(cleanup_pkcs7) PKCS7 *safe = NULL;

        if (!bags || !bag || !name_bag(m, bag) || sk_PKCS12_SAFEBAG_push(bags, bag) <= 0)
                return openssl_failure();
        bag = NULL;
        safe = PKCS12_pack_p7data(bags);
        return add_safe(m, &safe);
}

/* --- The whole --- */

static int to_secret(PKCS12 *p12, Secret **ret) {
        _auto_openssl_ unsigned char *der = NULL;
        int size = i2d_PKCS12(p12, &der);

        if (size < 0)
                return openssl_failure();
        *ret = secret_new(der, (size_t) size);
        secret_wipe(der, (size_t) size);
        return *ret ? 0 : -ENOMEM;
}

static int finish(const Making *m, Secret **ret) {
        _cleanup_(cleanup_pkcs12) PKCS12 *p12 = PKCS12_add_safes(m->safes, 0);
        uint8_t salt[SALT_SIZE];
        int r;

        r = make_salt(m, 'm', salt);
        if (r < 0)
                return r;
        if (!p12 || PKCS12_set_mac(p12, m->password, -1, salt, sizeof(salt), ITERATIONS, EVP_sha256()) != 1)
                return openssl_failure();
        return to_secret(p12, ret);
}

int pkcs12_make(const CertChain *chain, EVP_PKEY *key, const char *name, const char *password, Secret **ret, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _cleanup_(cleanup_safes) STACK_OF(PKCS7) *safes = sk_PKCS7_new_null();
        Making m = { .chain = chain, .key = key, .name = name, .password = password, .safes = safes };
        int r;

        assert(chain);
        assert(chain->n > 0);
        assert(name);
        assert(password);
        assert(ret);

        if (!safes)
                return -ENOMEM;
        if (key && X509_check_private_key(chain->certs[0], key) != 1) {
                *ret_problem = problem_new(PROBLEM_TYPE_STORE, "The private key is not that of the certificate");
                return *ret_problem ? -EBADMSG : -ENOMEM;
        }
        r = seed(&m);
        if (r == 0)
                r = add_certificates(&m);
        if (r == 0 && key)
                r = add_key(&m);
        return r == 0 ? finish(&m, ret) : r;
}
