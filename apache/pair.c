/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include <string.h>

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
