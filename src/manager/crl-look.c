/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/crl-look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "crypto/cert.h"
#include "crypto/crl.h"
#include "store/crl.h"
#include "store/domain.h"

CrlLook *crl_look_free(CrlLook *l) {
        if (!l)
                return NULL;
        for (size_t i = 0; i < l->n; i++) {
                free(l->certs[i].domain);
                free(l->certs[i].sha256);
        }
        free(l->certs);
        free(l->data);
        free(l->url);
        free(l->key);
        problem_free(l->problem);
        free(l);
        return NULL;
}

int crl_look_new(Manager *m, const char *url, const char *key, CrlLook **ret) {
        CrlLook *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        l->manager = m;
        l->store = m->store;
        if (str_replace(&l->url, url) < 0 || str_replace(&l->key, key) < 0) {
                crl_look_free(l);
                return -ENOMEM;
        }
        *ret = l;
        return 0;
}

static int find_spec(const Domain *d, const char *name, KeySpec *ret) {
        char buffer[KEY_SPEC_NAME_MAX];

        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);

                if (str_equal(key_spec_name(&spec, buffer), name)) {
                        *ret = spec;
                        return 0;
                }
        }
        return -ENOENT;
}

int crl_look_add(CrlLook *l, const Domain *d, const CertFacts *f) {
        CrlLookCert cert = { 0 }, *grown;

        if (find_spec(d, f->spec, &cert.spec) < 0)
                return 0; /* no key like that is configured any more */
        grown = reallocarray(l->certs, l->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        l->certs = grown;
        if (str_replace(&cert.domain, DOMAIN_NAME(d)) < 0 || str_replace(&cert.sha256, f->sha256) < 0) {
                free(cert.domain);
                return -ENOMEM;
        }
        l->certs[l->n++] = cert;
        return 0;
}

int crl_look_set_data(CrlLook *l, const void *data, size_t size) {
        l->data = malloc(size + 1);
        if (!l->data)
                return -ENOMEM;
        memcpy(l->data, data, size);
        l->size = size;
        return 0;
}

/* The chain is the live one as it lies there now, which may be another one than was asked about. */
static int look_up(const CrlLook *l, const Crl *crl, CrlLookCert *c, Problem **ret_problem) {
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_free_ char *pem = NULL, *sha256 = NULL;
        CrlAnswer a;
        int r;

        r = store_domain_read_chain(l->store, STORE_SET_LIVE, c->domain, &c->spec, &pem);
        if (r == 0)
                r = cert_chain_from_pem(pem, strlen(pem), &chain, NULL);
        if (r == 0)
                r = cert_sha256(chain.certs[0], &sha256);
        if (r != 0)
                return r == -ENOMEM ? r : 0;
        if (!str_equal(sha256, c->sha256))
                return 0;
        if (chain.n < 2) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_CRL, "The issuer of the certificate is not in its chain");
                return 0;
        }
        r = crl_check(crl, chain.certs[0], chain.certs[1], clock_now_usec(), &a, ret_problem);
        if (r == 0) {
                c->known = true;
                c->revoked = a.revoked;
                c->key_compromised = a.key_compromised;
        }
        return r == -EBADMSG ? 0 : r;
}

static bool any_known(const CrlLook *l) {
        for (size_t i = 0; i < l->n; i++)
                if (l->certs[i].known)
                        return true;
        return false;
}

static int look_all_up(CrlLook *l, Problem **ret_problem) {
        _auto_crl_ Crl crl = { 0 };
        char there[CLOCK_HUMAN_MAX], came[CLOCK_HUMAN_MAX];
        int r;

        r = crl_read(l->data, l->size, &crl, ret_problem);
        if (r < 0)
                return r;
        if (l->fetched && crl.from_usec < l->not_before_usec) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_CRL, "The CRL is of %s, and there is one of %s", clock_format_utc(came, crl.from_usec),
                                   clock_format_utc(there, l->not_before_usec));
                return -EBADMSG;
        }
        for (size_t i = 0; i < l->n && r == 0; i++)
                r = look_up(l, &crl, &l->certs[i], ret_problem);
        if (r == 0 && !any_known(l))
                return -EBADMSG;
        l->from_usec = crl.from_usec;
        l->until_usec = crl.until_usec;
        return r;
}

static int get_data(CrlLook *l) {
        StoreCrl crl;
        int r;

        if (l->fetched)
                return 0;
        r = store_crl_read(l->store, l->key, &crl);
        if (r != 0)
                return r < 0 ? r : -ENOENT;
        l->data = crl.data;
        l->size = crl.size;
        l->fetched_usec = crl.written_usec;
        return 0;
}

void crl_look_work(void *errand) {
        CrlLook *l = errand;
        _auto_problem_ Problem *p = NULL;
        int r;

        r = get_data(l);
        if (r == 0)
                r = look_all_up(l, &p);
        if (r == 0) {
                if (l->fetched) /* one that cannot be kept is fetched again after the next start */
                        (void) store_crl_write(l->store, l->key, l->data, l->size);
                return;
        }
        l->failed = true;
        l->problem = p ? take_ptr(p) : problem_new(PROBLEM_TYPE_CRL, "The CRL cannot be looked through: %s", strerror(-r));
        problem_prefix(l->problem, "%s", l->url);
}
