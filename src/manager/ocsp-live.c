/* SPDX-License-Identifier: Apache-2.0 */

/* The certificates that md-manager itself made live: whether they are revoked is asked of whoever they name, and told. A responder comes before a list, which is
 * larger and older. */

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "crypto/cert.h"
#include "manager/ocsp-internal.h"
#include "store/domain.h"

enum { SERIALS_MAX = 100 }; /* what a variable of the environment can take */

/* The first one counts, as for hooks. */
static const Snapshot *server_of(const Domain *d) {
        return d->n_servers > 0 ? d->servers[0].snapshot : NULL;
}

int ocsp_add_own(Ocsp *o, const OcspOwnCert *cert, OcspItem **ret) {
        const Domain *d = cert->domain;
        const SnapshotStapling stapling = {
                .id = (char *) cert->id,
                .domain = DOMAIN_NAME(d),
                .serial = (char *) cert->serial,
                .url = (char *) cert->url,
                .proxy_url = d->config->proxy_url,
                .proxy_ca_file = d->config->proxy_ca_file,
        };
        OcspItem *i;
        int r;

        r = ocsp_item_new(o->manager, &stapling, cert->issuer, server_of(d), &i);
        if (r < 0)
                return r;
        r = map_put(o->items, i->id, i);
        if (r < 0) {
                ocsp_item_free(i);
                return r;
        }
        *ret = i;
        return 0;
}

int ocsp_follow_own(Ocsp *o, OcspItem *i) {
        STRV_FOREACH(name, i->names) {
                const Domain *d = manager_find_domain(o->manager, *name);

                if (d && d->managed)
                        return ocsp_item_follow(i, &(SnapshotStapling){ .url = i->url, .proxy_url = d->config->proxy_url, .proxy_ca_file = d->config->proxy_ca_file }, server_of(d));
        }
        return 0;
}

/* 0 without *ret: the chain is of no use, or has no issuer in it. */
static int read_issuer(Domain *d, const KeySpec *spec, X509 **ret) {
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_free_ char *pem = NULL;
        int r;

        r = store_domain_read_chain(d->manager->store, STORE_SET_LIVE, DOMAIN_NAME(d), spec, &pem);
        if (r == 0)
                r = cert_chain_from_pem(pem, strlen(pem), &chain, NULL);
        if (r == 0 && chain.n > 1)
                *ret = take_ptr(chain.certs[1]);
        return r == -ENOMEM ? r : 0;
}

static int learn_ocsp(Ocsp *o, Domain *d, const KeySpec *spec, const CertFacts *f) {
        _auto_x509_ X509 *issuer = NULL;
        OcspItem *i = map_get(o->items, f->ocsp_id);
        int r;

        if (i)
                return ocsp_item_add_name(i, DOMAIN_NAME(d));
        r = read_issuer(d, spec, &issuer);
        if (r < 0 || !issuer)
                return r;
        return ocsp_add_own(o, &(OcspOwnCert){ .domain = d, .id = f->ocsp_id, .serial = f->serial, .url = f->ocsp_url, .issuer = issuer }, &i);
}

static int learn_crl(Ocsp *o, Domain *d, const CertFacts *f) {
        CrlItem *c = map_get(o->crls, f->crl_url);
        int r;

        if (!c) {
                r = crl_item_new(o->manager, f->crl_url, d, &c);
                if (r < 0)
                        return r;
                r = map_put(o->crls, c->url, c);
                if (r < 0) {
                        crl_item_free(c);
                        return r;
                }
        }
        return crl_item_add_domain(c, d);
}

static int learn(Ocsp *o, Domain *d, const KeySpec *spec) {
        char name[KEY_SPEC_NAME_MAX];
        const CertFacts *f = cert_facts_find(&d->live, key_spec_name(spec, name));

        if (!f || f->not_after_usec <= clock_now_usec())
                return 0;
        return f->ocsp_url ? learn_ocsp(o, d, spec, f) : f->crl_url ? learn_crl(o, d, f) : 0;
}

void ocsp_learn(Ocsp *o, Domain *d) {
        int r = 0;

        if (!o || !d->managed || !d->manager->settings.revocation_check)
                return;
        for (size_t k = 0; k < key_specs_count(&d->config->keys) && r >= 0; k++) {
                KeySpec spec = key_specs_get(&d->config->keys, k);

                r = learn(o, d, &spec);
        }
        if (r < 0)
                (void) log_failure(r, "%s: Cannot ask whether its certificates are revoked: %m", DOMAIN_NAME(d));
        ocsp_plan(o);
}

void ocsp_note_told(Ocsp *o, const char *id) {
        OcspItem *i = id ? map_get(o->items, id) : NULL;

        if (i)
                ocsp_item_note_told(i);
}

/* --- What is known --- */

static OcspKnown known_by_ocsp(const OcspItem *i) {
        const StoreStaple *s = &i->staple;

        return (OcspKnown){
                .source = "ocsp",
                .status = !ocsp_item_is_good(i, clock_now_usec()) ? "unknown" : s->revoked ? "revoked" : "good",
                .url = i->url, .offered = i->offered, .from_usec = s->from_usec, .until_usec = s->until_usec,
                .next_usec = s->next_usec, .errors = s->errors, .last = s->last,
        };
}

OcspKnown ocsp_known(const Ocsp *o, const Domain *d, const CertFacts *f) {
        const OcspItem *i = o && f->ocsp_id ? map_get(o->items, f->ocsp_id) : NULL;
        const CrlItem *c = o && !i && !f->ocsp_url && f->crl_url ? map_get(o->crls, f->crl_url) : NULL;

        if (i && ocsp_item_is_wanted(i, clock_now_usec()))
                return known_by_ocsp(i);
        if (!c)
                return (OcspKnown){ 0 };
        return (OcspKnown){
                .source = "crl",
                .status = strv_contains(d->job->revoked, f->sha256) ? "revoked" : crl_item_is_checked(c, f->sha256, clock_now_usec()) ? "good" : "unknown",
                .url = c->url, .from_usec = c->from_usec, .until_usec = c->until_usec, .next_usec = c->next_usec, .errors = c->errors, .last = c->last,
        };
}

int ocsp_list_revoked_others(const Ocsp *o, char ***serials) {
        const char *id;
        OcspItem *i;

        MAP_FOREACH(o->items, id, i)
                if (ocsp_item_is_revoked_other(i) && !strv_contains(*serials, i->serial) && strv_length(*serials) < SERIALS_MAX && strv_extend(serials, i->serial) < 0)
                        return -ENOMEM;
        return 0;
}

OcspCounts ocsp_count(const Ocsp *o) {
        uint64_t now = clock_now_usec();
        OcspCounts counts = { 0 };
        const char *id;
        OcspItem *i;

        MAP_FOREACH(o->items, id, i) {
                if (!i->offered)
                        continue;
                counts.offered++;
                *(!ocsp_item_is_good(i, now) ? &counts.unknown : i->staple.revoked ? &counts.revoked : &counts.good) += 1;
                counts.failing += i->staple.errors > 0;
        }
        return counts;
}
