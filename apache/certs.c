/* SPDX-License-Identifier: Apache-2.0 */
#include "certs.h"

#include "apr_hash.h"
#include "apr_strings.h"
#include "http_log.h"

#include "base/strv.h"
#include "domains.h"
#include "fallback.h"
#include "pair.h"
#include "pass.h"
#include "store-view.h"

/* What there is for a domain. Looked up once, however many servers use it. */
typedef struct DomainCerts {
        apr_array_header_t *live;      /* of StoreViewPair; empty: nothing that could be used */
        const StoreViewPair *fallback; /* NULL: not asked for */
} DomainCerts;

static void tell_unusable(const Configuration *c, const ManagedDomain *d, const char *file, const char *why) {
        if (pass_is_for_work())
                ap_log_error(APLOG_MARK, APLOG_ERR, 0, c->base, "%s: %s is not used: %s.", d->name, file, why);
}

static void tell_reserve(const Configuration *c, const ManagedDomain *d, const char *file) {
        if (pass_is_for_work())
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, c->base,
                             "%s: a certificate or its key is missing or damaged in the store; the copy %s is used until md-manager "
                             "puts it back.",
                             d->name, file);
}

/* STORE_VIEW_E_NOT_FOUND: there is no certificate (yet). */
static int load_pair(StoreView *v, apr_pool_t *p, StoreViewSet set, const char *name, const KeySpec *spec, const char **ret_sha256,
                     const char **ret_why) {
        _auto_secret_ Secret *key = NULL;
        const char *chain = NULL;
        int r;

        r = store_view_read_chain(v, p, set, name, spec, &chain, ret_why);
        if (r != 0)
                return r;

        r = store_view_read_key(v, p, set, name, spec, &key, ret_why);
        if (r == STORE_VIEW_E_NOT_FOUND)
                *ret_why = "its private key is missing";
        if (r != 0)
                return STORE_VIEW_E_FAILED;
        return pair_is_usable(p, chain, key, ret_sha256, ret_why) ? STORE_VIEW_DONE : STORE_VIEW_E_FAILED;
}

static bool find_pair(const Configuration *c, apr_pool_t *p, const ManagedDomain *d, const KeySpec *spec, StoreViewSet set, StoreViewPair *ret,
                      const char **ret_sha256) {
        StoreView *v = c->domains->store;
        const char *why = NULL;
        int r;

        if (store_view_pair(v, p, set, d->name, spec, ret) != 0)
                return false;
        r = load_pair(v, p, set, d->name, spec, ret_sha256, &why);
        if (r == STORE_VIEW_E_FAILED)
                tell_unusable(c, d, ret->cert_file, why);
        return r == STORE_VIEW_DONE;
}

/* A live pair that is missing or torn will be put back by md-manager from its reserve. It may be slower than this reload, or not run. */
static void find_live(const Configuration *c, apr_pool_t *p, ManagedDomain *d, DomainCerts *certs) {
        for (size_t i = 0; i < key_specs_count(&d->keys); i++) {
                KeySpec spec = key_specs_get(&d->keys, i);
                const char *sha256 = NULL;
                StoreViewPair pair;

                if (!find_pair(c, p, d, &spec, STORE_VIEW_LIVE, &pair, &sha256)) {
                        if (!find_pair(c, p, d, &spec, STORE_VIEW_RESERVE, &pair, &sha256))
                                continue;
                        tell_reserve(c, d, pair.cert_file);
                }
                if (strv_extend(&d->served, sha256) == 0)
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

static void hand_over(Domains *domains, const StoreViewPair *pair, apr_array_header_t *cert_files, apr_array_header_t *key_files) {
        domains->spare = pair;
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
                hand_over(c->domains, &APR_ARRAY_IDX(certs->live, i, StoreViewPair), cert_files, key_files);
        return OK;
}

/* When no fallback can be made (the disk is full), that of another domain does as well: the TLS module answers 503 on it,
 * instead of stopping the server. */
static const StoreViewPair *find_fallback(const Configuration *c, const ManagedDomain *d) {
        Domains *domains = c->domains;
        StoreViewPair *pair = apr_pcalloc(domains->pool, sizeof(*pair));
        const char *why = NULL;

        if (fallback_ensure(domains->store, domains->pool, d, pair, &why) == STORE_VIEW_DONE)
                return pair;

        /* Without one the server stops, whatever pass this is. */
        if (!domains->spare || pass_is_told())
                ap_log_error(APLOG_MARK, APLOG_ERR, 0, c->base, "%s has no certificate yet, and no fallback: %s.%s", d->name, why,
                             domains->spare ? " That of another domain is used." : "");
        return domains->spare;
}

int certs_add_fallback(server_rec *s, apr_pool_t *p, apr_array_header_t *cert_files, apr_array_header_t *key_files) {
        const Configuration *c = server_configuration(s);
        ManagedDomain *d = domain_for(c, s);
        DomainCerts *certs;

        if (!d)
                return DECLINED;

        certs = certs_of(c, c->domains->pool, d);
        if (!certs->fallback)
                certs->fallback = find_fallback(c, d);
        if (!certs->fallback)
                return DECLINED;

        hand_over(c->domains, certs->fallback, cert_files, key_files);
        return OK;
}
