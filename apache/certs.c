/* SPDX-License-Identifier: Apache-2.0 */
#include "certs.h"

#include <string.h>

#include "apr_hash.h"
#include "apr_strings.h"
#include "http_log.h"

#include "base/cleanup.h"
#include "base/strv.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "domains.h"
#include "fallback.h"
#include "pass.h"
#include "store-view.h"

/* What there is for a domain. Looked up once, however many servers use it. */
typedef struct DomainCerts {
        apr_array_header_t *live; /* of StoreViewPair; empty: nothing that could be used */
        bool fallback_tried, fallback_made;
        StoreViewPair fallback;
} DomainCerts;

static void tell_unusable(const Configuration *c, const ManagedDomain *d, const char *file, const char *why) {
        if (pass_is_for_work())
                ap_log_error(APLOG_MARK, APLOG_ERR, 0, c->base, "%s: %s is not used: %s.", d->name, file, why);
}

/* The TLS module would stop the whole server for one certificate that it cannot load; so it is only handed what has been tried. */
static bool is_usable(apr_pool_t *p, const char *chain_pem, const Secret *key_pem, char **ret_sha256, const char **ret_why) {
        _auto_problem_ Problem *problem = NULL;
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_pkey_ EVP_PKEY *key = NULL;

        if (cert_chain_from_pem(chain_pem, strlen(chain_pem), &chain, &problem) != 0 ||
            key_from_pem(key_pem->data, key_pem->size, &key, &problem) != 0) {
                *ret_why = problem ? apr_pstrdup(p, problem->detail) : "it cannot be read";
                return false;
        }
        if (!cert_matches_key(chain.certs[0], key)) {
                *ret_why = "the private key beside it belongs to another certificate";
                return false;
        }
        if (cert_sha256(chain.certs[0], ret_sha256) != 0) {
                *ret_why = "it cannot be hashed";
                return false;
        }
        return true;
}

/* STORE_VIEW_E_NOT_FOUND: there is no certificate (yet). */
static int load_pair(StoreView *v, apr_pool_t *p, const char *name, const KeySpec *spec, char **ret_sha256, const char **ret_why) {
        _auto_secret_ Secret *key = NULL;
        const char *chain = NULL;
        int r;

        r = store_view_read_chain(v, p, STORE_VIEW_LIVE, name, spec, &chain, ret_why);
        if (r != 0)
                return r;

        r = store_view_read_key(v, p, name, spec, &key, ret_why);
        if (r == STORE_VIEW_E_NOT_FOUND)
                *ret_why = "its private key is missing";
        if (r != 0)
                return STORE_VIEW_E_FAILED;
        return is_usable(p, chain, key, ret_sha256, ret_why) ? STORE_VIEW_DONE : STORE_VIEW_E_FAILED;
}

static void find_live(const Configuration *c, apr_pool_t *p, ManagedDomain *d, DomainCerts *certs) {
        StoreView *v = c->domains->store;

        for (size_t i = 0; i < key_specs_count(&d->keys); i++) {
                KeySpec spec = key_specs_get(&d->keys, i);
                const char *why = NULL;
                char *sha256 = NULL;
                StoreViewPair pair;
                int r;

                if (store_view_pair(v, p, STORE_VIEW_LIVE, d->name, &spec, &pair) != 0)
                        continue;
                r = load_pair(v, p, d->name, &spec, &sha256, &why);
                if (r == STORE_VIEW_E_FAILED)
                        tell_unusable(c, d, pair.cert_file, why);
                if (r != 0 || strv_consume(&d->served, sha256) < 0)
                        continue;
                APR_ARRAY_PUSH(certs->live, StoreViewPair) = pair;
        }
}

static DomainCerts *certs_of(const Configuration *c, apr_pool_t *p, ManagedDomain *d) {
        DomainCerts *certs = apr_hash_get(c->domains->certs, &d, sizeof(d));
        ManagedDomain **key;

        if (certs)
                return certs;

        certs = apr_pcalloc(p, sizeof(*certs));
        certs->live = apr_array_make(p, 1, sizeof(StoreViewPair));
        find_live(c, p, d, certs);

        key = apr_pmemdup(p, &d, sizeof(d));
        apr_hash_set(c->domains->certs, key, sizeof(*key), certs);
        return certs;
}

static void hand_over(const StoreViewPair *pair, apr_array_header_t *cert_files, apr_array_header_t *key_files) {
        APR_ARRAY_PUSH(cert_files, const char *) = pair->cert_file;
        APR_ARRAY_PUSH(key_files, const char *) = pair->key_file;
}

/* The domain of a server that asks for certificates, with the store open; NULL: not ours. */
static ManagedDomain *domain_for(const Configuration *c, server_rec *s) {
        MatchHost *host = domains_host(c, s);

        if (!host || !c->domains->store)
                return NULL;
        if (!host->tls && matching_set_tls(c->domains->matching, host) < 0)
                return NULL;
        return host->domain;
}

int certs_add(server_rec *s, apr_pool_t *p, apr_array_header_t *cert_files, apr_array_header_t *key_files) {
        const Configuration *c = server_configuration(s);
        ManagedDomain *d = domain_for(c, s);
        const DomainCerts *certs;

        if (!d)
                return DECLINED;

        certs = certs_of(c, c->domains->pool, d);
        if (certs->live->nelts == 0)
                return DECLINED;

        if (cert_files->nelts > 0)
                ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s,
                             "%s: certificates of the domain are used beside those of SSLCertificateFile.", d->name);
        for (int i = 0; i < certs->live->nelts; i++)
                hand_over(&APR_ARRAY_IDX(certs->live, i, StoreViewPair), cert_files, key_files);
        return OK;
}

int certs_add_fallback(server_rec *s, apr_pool_t *p, apr_array_header_t *cert_files, apr_array_header_t *key_files) {
        const Configuration *c = server_configuration(s);
        ManagedDomain *d = domain_for(c, s);
        const char *why = NULL;
        DomainCerts *certs;

        if (!d)
                return DECLINED;

        certs = certs_of(c, c->domains->pool, d);
        if (!certs->fallback_tried) {
                certs->fallback_tried = true;
                certs->fallback_made =
                        fallback_ensure(c->domains->store, c->domains->pool, d, &certs->fallback, &why) == STORE_VIEW_DONE;
                if (!certs->fallback_made)
                        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "%s has no certificate yet, and no fallback: %s.", d->name, why);
        }
        if (!certs->fallback_made)
                return DECLINED;

        hand_over(&certs->fallback, cert_files, key_files);
        return OK;
}
