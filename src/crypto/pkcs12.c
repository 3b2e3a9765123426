/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pkcs12.h"

#include <errno.h>
#include <openssl/pkcs12.h>

#include "base/cleanup.h"

/* Borrows its certificates. */
static void cleanup_borrowed(STACK_OF(X509) **stack) {
        sk_X509_free(*stack);
}

/* Owns them. */
static void cleanup_owned(STACK_OF(X509) **stack) {
        sk_X509_pop_free(*stack, X509_free);
}

DEFINE_OPENSSL_CLEANUP(PKCS12, pkcs12, PKCS12_free)

static int to_secret(PKCS12 *p12, Secret **ret) {
        _auto_openssl_ unsigned char *der = NULL;
        int size = i2d_PKCS12(p12, &der);

        if (size < 0)
                return openssl_failure();
        *ret = secret_new(der, (size_t) size);
        secret_wipe(der, (size_t) size);
        return *ret ? 0 : -ENOMEM;
}

int pkcs12_make(const CertChain *chain, EVP_PKEY *key, const char *name, const char *password, Secret **ret, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _cleanup_(cleanup_borrowed) STACK_OF(X509) *rest = sk_X509_new_null();
        _cleanup_(cleanup_pkcs12) PKCS12 *p12 = NULL;

        assert(chain);
        assert(chain->n > 0);
        assert(ret);

        if (!rest)
                return -ENOMEM;
        if (key && X509_check_private_key(chain->certs[0], key) != 1) {
                *ret_problem = problem_new(PROBLEM_TYPE_STORE, "The private key is not that of the certificate");
                return *ret_problem ? -EBADMSG : -ENOMEM;
        }
        for (size_t i = 1; i < chain->n; i++)
                if (sk_X509_push(rest, chain->certs[i]) <= 0)
                        return -ENOMEM;
        p12 = PKCS12_create(password, name, key, chain->certs[0], rest, 0, 0, 0, 0, 0);
        return p12 ? to_secret(p12, ret) : openssl_failure();
}

static bool holds_chain(const CertChain *chain, X509 *leaf, STACK_OF(X509) *rest) {
        if (!leaf || X509_cmp(leaf, chain->certs[0]) != 0 || (size_t) (rest ? sk_X509_num(rest) : 0) != chain->n - 1)
                return false;
        for (size_t i = 1; i < chain->n; i++)
                if (X509_cmp(sk_X509_value(rest, (int) i - 1), chain->certs[i]) != 0)
                        return false;
        return true;
}

bool pkcs12_holds(const void *data, size_t size, const char *password, EVP_PKEY *key, const CertChain *chain) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _cleanup_(cleanup_owned) STACK_OF(X509) *rest = NULL;
        _cleanup_(cleanup_pkcs12) PKCS12 *p12 = NULL;
        const unsigned char *p = data;
        _auto_pkey_ EVP_PKEY *found = NULL;
        _auto_x509_ X509 *leaf = NULL;

        assert(key);
        assert(chain && chain->n > 0);
        assert(password);

        if (size > PKCS12_SIZE_MAX)
                return false;
        p12 = d2i_PKCS12(NULL, &p, (long) size);
        if (!p12 || p != (const unsigned char *) data + size)
                return false;
        return PKCS12_parse(p12, password, &found, &leaf, &rest) == 1 && found && EVP_PKEY_eq(found, key) == 1 && holds_chain(chain, leaf, rest);
}
