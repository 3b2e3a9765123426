/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/csr.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "crypto/san.h"

typedef STACK_OF(X509_EXTENSION) Extensions;

static void cleanup_extensions(Extensions **e) {
        sk_X509_EXTENSION_pop_free(*e, X509_EXTENSION_free);
}
#define _auto_extensions_ _cleanup_(cleanup_extensions)

/* RFC 7633: a sequence of the one TLS feature status_request (5). */
static int add_must_staple(Extensions *extensions) {
        static const uint8_t der[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        X509_EXTENSION *e = NULL;

        if (value && ASN1_OCTET_STRING_set(value, der, sizeof(der)) == 1)
                e = X509_EXTENSION_create_by_NID(NULL, NID_tlsfeature, 0, value); /* copies the value */
        ASN1_OCTET_STRING_free(value);
        if (!e || sk_X509_EXTENSION_push(extensions, e) <= 0) {
                X509_EXTENSION_free(e);
                return openssl_failure();
        }
        return 0;
}

static int add_extensions(X509_REQ *req, char *const *names, bool must_staple, Problem **ret_problem) {
        _auto_general_names_ GENERAL_NAMES *san = NULL;
        _auto_extensions_ Extensions *extensions = NULL;
        int r;

        r = san_make(names, &san, ret_problem);
        if (r < 0)
                return r;
        if (X509V3_add1_i2d(&extensions, NID_subject_alt_name, san, 0, X509V3_ADD_DEFAULT) != 1)
                return openssl_failure();
        if (must_staple) {
                r = add_must_staple(extensions);
                if (r < 0)
                        return r;
        }
        return X509_REQ_add_extensions(req, extensions) == 1 ? 0 : openssl_failure();
}

static int add_subject(X509_REQ *req, char *const *names) {
        const char *common_name = san_common_name(names);
        X509_NAME *name;
        int r;

        if (!common_name)
                return 0;
        name = X509_NAME_new();
        if (!name)
                return openssl_failure();
        r = san_set_common_name(name, common_name);
        if (r == 0 && X509_REQ_set_subject_name(req, name) != 1)
                r = openssl_failure();
        X509_NAME_free(name);
        return r;
}

static int encode(X509_REQ *req, char **ret_base64url) {
        _auto_openssl_ uint8_t *der = NULL;
        int n = i2d_X509_REQ(req, &der);
        char *text;

        if (n <= 0)
                return openssl_failure();
        text = base64url_encode(der, (size_t) n);
        if (!text)
                return -ENOMEM;
        *ret_base64url = text;
        return 0;
}

int csr_make(EVP_PKEY *key, char *const *names, bool must_staple, char **ret_base64url, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_x509_req_ X509_REQ *req = NULL;
        int r;

        assert(key);
        assert(ret_base64url);

        req = X509_REQ_new();
        if (!req || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 || X509_REQ_set_pubkey(req, key) != 1)
                return openssl_failure();
        r = add_extensions(req, names, must_staple, ret_problem);
        if (r < 0)
                return r;
        r = add_subject(req, names);
        if (r < 0)
                return r;
        if (X509_REQ_sign(req, key, openssl_signing_digest(key)) <= 0)
                return openssl_failure();
        return encode(req, ret_base64url);
}
