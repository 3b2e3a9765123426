/* SPDX-License-Identifier: Apache-2.0 */
#include "ocsp.h"

#include <errno.h>
#include <stdlib.h>

#include "apr_strings.h"
#include "apr_thread_mutex.h"
#include "http_log.h"
#include "http_ssl.h"

#include "base/clock.h"
#include "base/string-util.h"
#include "config.h"
#include "crypto/cert.h"
#include "crypto/ocsp.h"
#include "domain/ocsp-schedule.h"
#include "domains.h"
#include "store-view.h"
#include "store/ocsp.h"

enum { ID_SIZE = 20 }; /* mod_ssl: SHA-1 of the certificate */

/* One certificate. What is above 'staple' is made by the parent and not changed any more. */
typedef struct OcspCert {
        const char *id;         /* hex */
        const ManagedDomain *domain; /* NULL: of none */
        const char *serial, *url, *issuer; /* PEM */
        bool must_staple;
        StoreStaple staple;     /* without der: there is none */
        StoreOcspMark mark;     /* of the file that was looked at last */
        uint64_t look_usec;     /* when to look again */
        bool looking;           /* some thread does */
} OcspCert;

/* One for each configuration that has something to staple. */
typedef struct OcspStapling OcspStapling;
struct OcspStapling {
        apr_hash_t *certs; /* the 20 bytes → OcspCert */
        apr_array_header_t *order; /* of OcspCert *, as they were offered */
        StoreView *store;  /* in a child; NULL: not open */
        apr_thread_mutex_t *lock; /* what threads of a child share; held for moments only */
};

/* --- In the parent: what is offered --- */

static OcspStapling *stapling_of(Configuration *c, apr_pool_t *p) {
        if (!c->ocsp) {
                c->ocsp = apr_pcalloc(p, sizeof(*c->ocsp));
                c->ocsp->certs = apr_hash_make(p);
                c->ocsp->order = apr_array_make(p, 4, sizeof(OcspCert *));
        }
        return c->ocsp;
}

/* The managed domain that the certificate of this server belongs to; NULL: none. */
static const ManagedDomain *domain_of(const Configuration *c, const server_rec *s) {
        const MatchHost *host = c->domains ? domains_host(c, s) : NULL;

        return host ? host->domain : NULL;
}

static bool is_wanted(const server_rec *s, const ManagedDomain *d) {
        if (d)
                return d->stapling;
        return server_staples(s) && server_staples_others(s);
}

static const char *issuer_pem(apr_pool_t *p, const CertChain *chain) {
        CertChain issuer = { .certs = { chain->certs[1] }, .n = 1 }; /* borrowed */
        char *pem = NULL;
        const char *copy;

        if (cert_chain_to_pem(&issuer, &pem) < 0)
                return NULL;
        copy = apr_pstrdup(p, pem);
        free(pem);
        return copy;
}

/* NULL: there is nothing to ask for it, and mod_ssl may do with it what it does without us. */
static OcspCert *read_cert(server_rec *s, apr_pool_t *p, const char *pem) {
        _auto_cert_chain_ CertChain chain = { 0 };
        CertInfo info = { 0 };
        OcspCert *cert = NULL;

        if (cert_chain_from_pem(pem, strlen(pem), &chain, NULL) < 0 || chain.n < 2 || cert_info_read(chain.certs[0], &info) < 0) {
                ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "A certificate is not stapled: its issuer is not known.");
                return NULL;
        }
        if (!info.ocsp_url)
                ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "The certificate %s is not stapled: it names no OCSP responder.", info.serial);
        else {
                cert = apr_pcalloc(p, sizeof(*cert));
                cert->serial = apr_pstrdup(p, info.serial);
                cert->url = apr_pstrdup(p, info.ocsp_url);
                cert->must_staple = info.must_staple;
                cert->issuer = issuer_pem(p, &chain);
        }
        cert_info_done(&info);
        return cert && cert->issuer && strlen(cert->issuer) <= SNAPSHOT_ISSUER_SIZE_MAX ? cert : NULL;
}

static const char *hex_of(apr_pool_t *p, const char *id, apr_size_t size) {
        static const char digits[] = "0123456789abcdef";
        char *hex = apr_palloc(p, 2 * size + 1);

        for (apr_size_t i = 0; i < size; i++) {
                hex[2 * i] = digits[(unsigned char) id[i] >> 4];
                hex[2 * i + 1] = digits[(unsigned char) id[i] & 15];
        }
        hex[2 * size] = '\0';
        return hex;
}

static int prime(server_rec *s, apr_pool_t *p, const char *id, apr_size_t id_size, const char *pem) {
        Configuration *c = server_configuration(s);
        const ManagedDomain *d = domain_of(c, s);
        OcspStapling *stapling;
        OcspCert *cert;

        if (id_size != ID_SIZE || !is_wanted(s, d))
                return DECLINED;
        stapling = stapling_of(c, p);
        if (apr_hash_get(stapling->certs, id, ID_SIZE))
                return OK;
        if (stapling->order->nelts >= SNAPSHOT_STAPLINGS_MAX) {
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "A certificate is not stapled: md-manager takes %d at the most.", (int) SNAPSHOT_STAPLINGS_MAX);
                return DECLINED;
        }
        cert = read_cert(s, p, pem);
        if (!cert)
                return DECLINED;
        cert->id = hex_of(p, id, id_size);
        cert->domain = d;
        apr_hash_set(stapling->certs, apr_pmemdup(p, id, id_size), ID_SIZE, cert);
        APR_ARRAY_PUSH(stapling->order, OcspCert *) = cert;
        return OK;
}

bool ocsp_is_used(const Configuration *c) {
        return c->ocsp && c->ocsp->order->nelts > 0;
}

int ocsp_fill_snapshot(const Configuration *c, SnapshotStaplings *ret) {
        const Settings *base = &server_settings(c->base)->settings;

        for (int i = 0; c->ocsp && i < c->ocsp->order->nelts; i++) {
                const OcspCert *cert = APR_ARRAY_IDX(c->ocsp->order, i, const OcspCert *);
                const ManagedDomain *d = cert->domain;
                SnapshotStapling s = {
                        .id = (char *) cert->id,
                        .domain = d ? d->name : NULL,
                        .serial = (char *) cert->serial,
                        .url = (char *) cert->url,
                        .must_staple = cert->must_staple,
                        .proxy_url = (char *) str_or(d ? d->proxy_url : base->proxy_url, NULL),
                        .proxy_ca_file = (char *) str_or(d ? d->proxy_ca_file : base->proxy_ca_file, NULL),
                };

                if (snapshot_staplings_add(ret, &s, cert->issuer) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* --- In a child: what is handed out --- */

static apr_status_t forget_responses(void *data) {
        OcspStapling *stapling = data;

        for (int i = 0; i < stapling->order->nelts; i++)
                store_staple_done(&APR_ARRAY_IDX(stapling->order, i, OcspCert *)->staple);
        return APR_SUCCESS;
}

static void child_init(apr_pool_t *p, server_rec *s) {
        OcspStapling *stapling = server_configuration(s)->ocsp;
        const char *why = NULL;

        if (!stapling || apr_thread_mutex_create(&stapling->lock, APR_THREAD_MUTEX_DEFAULT, p) != APR_SUCCESS)
                return;
        if (store_view_open_for_child(p, STORE_DIR, &stapling->store, &why) != STORE_VIEW_DONE) {
                ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "OCSP responses cannot be read: %s.", why);
                stapling->store = NULL;
                return;
        }
        apr_pool_cleanup_register(p, stapling, forget_responses, apr_pool_cleanup_null);
}

static const char *directory_of(const OcspCert *cert) {
        return cert->domain ? cert->domain->name : STORE_OCSP_OTHER;
}

/* One thread looks at the disk; others hand out meanwhile what there is. */
static bool begin_look(OcspStapling *stapling, OcspCert *cert, uint64_t now, StoreOcspMark *ret_mark) {
        bool looks;

        (void) apr_thread_mutex_lock(stapling->lock);
        looks = !cert->looking && ocsp_schedule_look_is_due(cert->look_usec, now);
        if (looks) {
                cert->looking = true;
                *ret_mark = cert->mark;
        }
        (void) apr_thread_mutex_unlock(stapling->lock);
        return looks;
}

static void look(OcspStapling *stapling, OcspCert *cert, uint64_t now) {
        StoreStaple found = { 0 }, old = { 0 };
        StoreOcspMark mark;
        int r;

        if (!begin_look(stapling, cert, now, &mark))
                return;
        r = store_view_read_staple(stapling->store, directory_of(cert), cert->id, &mark, &found);
        (void) apr_thread_mutex_lock(stapling->lock);
        cert->mark = mark;
        if (r == STORE_VIEW_DONE) {
                old = cert->staple;
                cert->staple = found;
        }
        cert->look_usec = ocsp_schedule_look_usec(cert->staple.next_usec, cert->staple.until_usec, now);
        cert->looking = false;
        (void) apr_thread_mutex_unlock(stapling->lock);
        store_staple_done(&old);
}

/* Whoever asks makes a copy. Answered also when there is nothing: the certificate was taken over, and mod_ssl is not to fetch by itself while somebody waits. */
static int get_response(server_rec *s, conn_rec *connection, const char *id, apr_size_t id_size, ap_ssl_ocsp_copy_resp *copy, void *userdata) {
        OcspStapling *stapling = server_configuration(s)->ocsp;
        uint64_t now = clock_now_usec();
        OcspCert *cert;

        if (!stapling || id_size != ID_SIZE)
                return DECLINED;
        cert = apr_hash_get(stapling->certs, id, ID_SIZE);
        if (!cert)
                return DECLINED;
        if (!stapling->lock) { /* out of memory in this child */
                copy(NULL, 0, userdata);
                return OK;
        }
        if (stapling->store)
                look(stapling, cert, now);
        (void) apr_thread_mutex_lock(stapling->lock);
        if (cert->staple.der && cert->staple.until_usec > now)
                copy(cert->staple.der, cert->staple.size, userdata);
        else
                copy(NULL, 0, userdata);
        (void) apr_thread_mutex_unlock(stapling->lock);
        return OK;
}

static void show(const OcspStapling *stapling, const OcspCert *cert, uint64_t now, apr_pool_t *p, OcspShown *ret) {
        _auto_staple_ StoreStaple known = { 0 };

        *ret = (OcspShown){ .domain = directory_of(cert), .is_other = !cert->domain, .id = cert->id, .serial = cert->serial, .url = cert->url, .status = "unknown" };
        if (!stapling->store || store_view_read_ocsp(stapling->store, directory_of(cert), cert->id, &known) != STORE_VIEW_DONE)
                return;
        if (known.der && known.until_usec > now) {
                ret->status = known.revoked ? "revoked" : "good";
                ret->from_usec = known.from_usec;
                ret->until_usec = known.until_usec;
        }
        ret->refresh_usec = known.next_usec;
        ret->errors = known.errors;
        if (known.last) {
                ret->problem = apr_pstrdup(p, known.last->type);
                ret->problem_detail = apr_pstrdup(p, known.last->detail);
        }
}

const apr_array_header_t *ocsp_show(const Configuration *c, apr_pool_t *p) {
        int n = c->ocsp ? c->ocsp->order->nelts : 0;
        apr_array_header_t *all = apr_array_make(p, n > 0 ? n : 1, sizeof(OcspShown));
        uint64_t now = clock_now_usec();

        for (int i = 0; i < n; i++)
                show(c->ocsp, APR_ARRAY_IDX(c->ocsp->order, i, const OcspCert *), now, p, apr_array_push(all));
        return all;
}

void ocsp_register(void) {
        ap_hook_ssl_ocsp_prime_hook(prime, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_ssl_ocsp_get_resp_hook(get_response, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}
