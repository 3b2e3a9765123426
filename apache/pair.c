/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include <string.h>

#include "apr_file_info.h"
#include "apr_file_io.h"
#include "apr_strings.h"

#include "base/cleanup.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "crypto/pair.h"

bool pair_is_usable(apr_pool_t *p, const char *chain_pem, const Secret *key_pem, const char **ret_sha256, const char **ret_why) {
        _auto_problem_ Problem *problem = NULL;
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_free_ char *sha256 = NULL;

        if (pair_look(chain_pem, strlen(chain_pem), key_pem->data, key_pem->size, &sha256) == PAIR_MATCHES) {
                if (ret_sha256)
                        *ret_sha256 = apr_pstrdup(p, sha256);
                return true;
        }

        if (cert_chain_from_pem(chain_pem, strlen(chain_pem), &chain, &problem) != 0 ||
            key_from_pem(key_pem->data, key_pem->size, &key, &problem) != 0) {
                *ret_why = problem ? apr_pstrdup(p, problem->detail) : "it cannot be read";
                return false;
        }
        if (!cert_matches_key(chain.certs[0], key)) {
                *ret_why = "the private key beside it belongs to another certificate";
                return false;
        }
        if (cert_sha256(chain.certs[0], &sha256) != 0) {
                *ret_why = "it cannot be hashed";
                return false;
        }

        if (ret_sha256)
                *ret_sha256 = apr_pstrdup(p, sha256);
        return true;
}

/* Links are followed: what stands in the configuration is root's word. */
static bool read_whole(apr_pool_t *p, const char *path, size_t max, char **ret, size_t *ret_size, const char **ret_why) {
        apr_file_t *file = NULL;
        apr_finfo_t info;
        char reason[120];
        apr_status_t r;

        r = apr_file_open(&file, path, APR_FOPEN_READ|APR_FOPEN_BINARY|APR_FOPEN_NONBLOCK, APR_FPROT_OS_DEFAULT, p);
        if (r == APR_SUCCESS)
                r = apr_file_info_get(&info, APR_FINFO_TYPE|APR_FINFO_SIZE, file);
        if (r == APR_SUCCESS && (info.filetype != APR_REG || info.size <= 0 || (size_t) info.size > max)) {
                *ret_why = apr_psprintf(p, "%s is no file of 1 to %zu bytes", path, max);
                return false;
        }
        if (r == APR_SUCCESS) {
                *ret = apr_pcalloc(p, (size_t) info.size + 1);
                r = apr_file_read_full(file, *ret, (size_t) info.size, ret_size);
        }
        if (r == APR_SUCCESS)
                return true;

        *ret_why = apr_psprintf(p, "%s cannot be read: %s", path, apr_strerror(r, reason, sizeof(reason)));
        return false;
}

static bool refuse(apr_pool_t *p, const Problem *problem, const char **ret_why) {
        *ret_why = problem ? apr_pstrdup(p, problem->detail) : "out of memory";
        return false;
}

static bool key_fits(apr_pool_t *p, X509 *leaf, const Secret *key_pem, const char **ret_why) {
        _auto_problem_ Problem *problem = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;

        if (key_pem_is_protected(key_pem->data, key_pem->size))
                return true;
        if (key_from_pem(key_pem->data, key_pem->size, &key, &problem) != 0)
                return refuse(p, problem, ret_why);
        if (!cert_matches_key(leaf, key)) {
                *ret_why = "the private key beside it belongs to another certificate";
                return false;
        }
        return true;
}

static bool texts_are_usable(apr_pool_t *p, const char *cert_pem, size_t size, const Secret *key_pem, PairLeaf *ret, const char **ret_why) {
        _auto_problem_ Problem *problem = NULL;
        _auto_free_ char *sha256 = NULL, *pem = NULL;
        _auto_x509_ X509 *leaf = NULL;

        if (cert_leaf_from_pem(cert_pem, size, &leaf, &problem) != 0)
                return refuse(p, problem, ret_why);
        if (!key_fits(p, leaf, key_pem, ret_why))
                return false;
        if (cert_sha256(leaf, &sha256) != 0 || cert_chain_to_pem(&(CertChain){ .certs = { leaf }, .n = 1 }, &pem) != 0)
                return refuse(p, NULL, ret_why);
        *ret = (PairLeaf){ .sha256 = apr_pstrdup(p, sha256), .pem = apr_pstrdup(p, pem) };
        return true;
}

bool pair_files_are_usable(apr_pool_t *p, const char *cert_file, const char *key_file, PairLeaf *ret, const char **ret_why) {
        _auto_secret_ Secret *secret = NULL;
        char *cert = NULL, *key = NULL;
        size_t cert_size = 0, key_size = 0;
        bool usable;

        if (!read_whole(p, cert_file, CERT_PEM_MAX, &cert, &cert_size, ret_why) || !read_whole(p, key_file, KEY_PEM_MAX, &key, &key_size, ret_why))
                return false;

        secret = secret_new(key, key_size);
        secret_wipe(key, key_size);
        usable = secret ? texts_are_usable(p, cert, cert_size, secret, ret, ret_why) : refuse(p, NULL, ret_why);
        secret_wipe(cert, cert_size); /* the key may be in it, too */
        return usable;
}
