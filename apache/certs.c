/* SPDX-License-Identifier: Apache-2.0 */
#include "certs.h"

#include <string.h>

#include "apr_hash.h"
#include "apr_strings.h"
#include "http_log.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "domains.h"
#include "fallback.h"
#include "pair-memory.h"
#include "pair.h"
#include "pass.h"
#include "renamed.h"
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

        r = store_view_read_pair(v, p, set, name, spec, &chain, &key, ret_why);
        if (r != STORE_VIEW_DONE)
                return r;
        return pair_is_usable(p, chain, key, ret_sha256, ret_why) ? STORE_VIEW_DONE : STORE_VIEW_E_FAILED;
}

/* Files that are being written just now are read again the next time. */
static void remember(const Domains *domains, const PairMark *mark, const char *sha256) {
        PairKnown known = { .until_usec = USEC_INFINITY };
        _auto_free_ void *digest = NULL;
        size_t size = 0;

        if (!pair_mark_is_settled(mark, clock_now_usec()) || hex_decode(sha256, &digest, &size) != 0 || size != sizeof(known.digest))
                return;
        memcpy(known.digest, digest, sizeof(known.digest));
        pair_memory_keep(domains->known, mark, &known);
}

/* The fingerprint of a pair that has been read in an earlier pass. */
static const char *recall(const Domains *domains, apr_pool_t *p, const PairMark *mark) {
        const PairKnown *known = pair_memory_recall(domains->known, mark);
        _auto_free_ char *sha256 = known ? hex_encode(known->digest, sizeof(known->digest)) : NULL;

        return sha256 ? apr_pstrdup(p, sha256) : NULL;
}

/* The paths outlive the scratch pool, the texts do not: thousands of them would be most of what the module needs. */
static bool find_pair(const Configuration *c, apr_pool_t *scratch, const ManagedDomain *d, const char *name, const KeySpec *spec, StoreViewSet set,
                      StoreViewPair *ret, const char **ret_sha256) {
        StoreView *v = c->domains->store;
        const char *why = NULL;
        PairMark mark;
        bool marked;
        int r;

        if (store_view_pair(v, c->domains->pool, set, name, spec, ret) != 0)
                return false;
        marked = pair_mark_take(ret->cert_file, ret->key_file, &mark);
        if (marked) {
                *ret_sha256 = recall(c->domains, scratch, &mark);
                if (*ret_sha256)
                        return true;
        }

        r = load_pair(v, scratch, set, name, spec, ret_sha256, &why);
        if (r == STORE_VIEW_E_FAILED)
                tell_unusable(c, d, ret->cert_file, why);
        else if (r == STORE_VIEW_DONE && marked)
                remember(c->domains, &mark, *ret_sha256);
        return r == STORE_VIEW_DONE;
}

static void add_pair(ManagedDomain *d, DomainCerts *certs, const StoreViewPair *pair, const char *sha256) {
        if (strv_extend(&d->served, sha256) == 0)
                APR_ARRAY_PUSH(certs->live, StoreViewPair) = *pair;
}

/* MDCertificateFile and MDCertificateKeyFile. md-manager cannot read these files, and shows what is in them all the same. */
static bool look_at_file(const Configuration *c, apr_pool_t *scratch, ManagedDomain *d, size_t i, PairLeaf *ret) {
        const char *why = NULL;

        if (!pair_files_are_usable(scratch, d->cert_files[i], d->key_files[i], ret, &why)) {
                tell_unusable(c, d, d->cert_files[i], why);
                return false;
        }
        if (strlen(ret->pem) <= MANAGED_DOMAIN_CERT_MAX)
                (void) strv_extend(&d->file_certs, ret->pem);
        return true;
}

/* One that the TLS module could not load would stop the whole server. */
static void find_static(const Configuration *c, apr_pool_t *scratch, ManagedDomain *d, DomainCerts *certs) {
        size_t n_keys = strv_length(d->key_files);

        for (size_t i = 0; i < n_keys && d->cert_files[i]; i++) {
                PairLeaf leaf;

                if (look_at_file(c, scratch, d, i, &leaf))
                        add_pair(d, certs, &(StoreViewPair){ .cert_file = d->cert_files[i], .key_file = d->key_files[i] }, leaf.sha256);
        }
}

/* A live pair that is missing or torn will be put back by md-manager from its reserve. It may be slower than this reload, or not run. */
static void find_live(const Configuration *c, apr_pool_t *scratch, ManagedDomain *d, const char *name, DomainCerts *certs) {
        for (size_t i = 0; i < key_specs_count(managed_domain_keys(d)); i++) {
                KeySpec spec = key_specs_get(managed_domain_keys(d), i);
                const char *sha256 = NULL;
                StoreViewPair pair;

                if (!find_pair(c, scratch, d, name, &spec, STORE_VIEW_LIVE, &pair, &sha256)) {
                        if (!find_pair(c, scratch, d, name, &spec, STORE_VIEW_RESERVE, &pair, &sha256))
                                continue;
                        tell_reserve(c, d, pair.cert_file);
                }
                add_pair(d, certs, &pair, sha256);
        }
}

static void find_renamed(const Configuration *c, apr_pool_t *scratch, ManagedDomain *d, DomainCerts *certs) {
        const char *before = renamed_from(c, d);

        if (!before)
                return;
        find_live(c, scratch, d, before, certs);
        if (pass_is_for_work() && certs->live->nelts > 0)
                ap_log_error(APLOG_MARK, APLOG_INFO, 0, c->base, "%s: served with what the store has for %s, until md-manager gives it the new name.", d->name,
                             before);
}

static DomainCerts *certs_of(const Configuration *c, apr_pool_t *p, ManagedDomain *d) {
        DomainCerts *certs = apr_hash_get(c->domains->certs, &d, sizeof(d));
        apr_pool_t *scratch = NULL;
        ManagedDomain **key;

        if (certs)
                return certs;

        certs = apr_pcalloc(p, sizeof(*certs));
        certs->live = apr_array_make(p, 1, sizeof(StoreViewPair));

        (void) apr_pool_create(&scratch, p);
        if (managed_domain_is_static(d))
                find_static(c, scratch, d, certs);
        if (certs->live->nelts == 0) /* also for files that are of no use: better an older certificate than none */
                find_live(c, scratch, d, d->name, certs);
        if (certs->live->nelts == 0)
                find_renamed(c, scratch, d, certs);
        apr_pool_destroy(scratch);

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

/* MDFallbackCertificate. */
static bool find_own_fallback(const Configuration *c, apr_pool_t *scratch, const ManagedDomain *d, StoreViewPair *ret) {
        const FilePair *own = domain_fallback(c, d);
        const char *why = NULL;
        PairLeaf leaf;

        if (!own || !own->cert_file)
                return false;
        if (!pair_files_are_usable(scratch, own->cert_file, own->key_file, &leaf, &why)) {
                tell_unusable(c, d, own->cert_file, why);
                return false;
        }

        *ret = (StoreViewPair){ .cert_file = own->cert_file, .key_file = own->key_file };
        return true;
}

/* When no fallback can be made (the disk is full), that of another domain does as well: the TLS module answers 503 on it,
 * instead of stopping the server. */
static const StoreViewPair *find_fallback(const Configuration *c, const ManagedDomain *d, apr_pool_t *scratch) {
        Domains *domains = c->domains;
        StoreViewPair *pair = apr_pcalloc(domains->pool, sizeof(*pair)), made;
        const char *why = NULL;

        if (find_own_fallback(c, scratch, d, pair))
                return pair;
        if (!domains->fallbacks)
                domains->fallbacks = fallbacks_make(domains->pool, domains->known_fallbacks);
        if (fallback_ensure(domains->fallbacks, domains->store, scratch, d, &made, &why) == STORE_VIEW_DONE) {
                *pair = (StoreViewPair){ apr_pstrdup(domains->pool, made.cert_file), apr_pstrdup(domains->pool, made.key_file) };
                return pair;
        }

        /* Without one the server stops, whatever pass this is. */
        if (!domains->spare || pass_is_told())
                ap_log_error(APLOG_MARK, APLOG_ERR, 0, c->base, "%s has no certificate yet, and no fallback: %s.%s", d->name, str_or(why, "out of memory"),
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
        if (!certs->fallback) {
                apr_pool_t *scratch = NULL;

                (void) apr_pool_create(&scratch, c->domains->pool);
                certs->fallback = find_fallback(c, d, scratch);
                apr_pool_destroy(scratch);
        }
        if (!certs->fallback)
                return DECLINED;

        hand_over(c->domains, certs->fallback, cert_files, key_files);
        return OK;
}

void certs_look_at_files(const Configuration *c) {
        for (int i = 0; i < c->domains->all->nelts; i++) {
                ManagedDomain *d = APR_ARRAY_IDX(c->domains->all, i, ManagedDomain *);
                apr_pool_t *scratch = NULL;
                size_t n_keys;
                PairLeaf leaf;

                if (!managed_domain_is_static(d) || apr_hash_get(c->domains->certs, &d, sizeof(d)))
                        continue;
                n_keys = strv_length(d->key_files);
                (void) apr_pool_create(&scratch, c->domains->pool);
                for (size_t k = 0; k < n_keys && d->cert_files[k]; k++)
                        (void) look_at_file(c, scratch, d, k, &leaf);
                apr_pool_destroy(scratch);
        }
}
