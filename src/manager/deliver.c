/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/deliver.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "manager/renewal-keys.h"
#include "store/domain.h"

/* Where a set is. */
typedef struct Place {
        Store *store;
        StoreSet set;
        const char *name;
        uint64_t received_usec;
} Place;

static bool key_belongs(const Place *place, const KeySpec *spec, X509 *leaf) {
        _auto_secret_ Secret *pem = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;

        if (store_domain_read_key(place->store, place->set, place->name, spec, &pem) != 0)
                return false;
        if (key_from_pem(pem->data, pem->size, &key, NULL) < 0)
                return false;
        return cert_matches_key(leaf, key);
}

int deliver_take_facts(CertInfo *info, const char *spec, bool key_matches, uint64_t received_usec, CertFacts *ret) {
        CertFacts f = { 0 };
        int r = str_replace(&f.spec, spec);

        if (r < 0)
                return r;
        f.key_matches = key_matches;
        f.key_type = info->key_type;
        f.key_bits = info->key_bits;
        f.names = take_ptr(info->names);
        f.issuer = take_ptr(info->issuer);
        f.issuer_name = take_ptr(info->issuer_name);
        f.issuer_url = take_ptr(info->issuer_url);
        f.ari_id = take_ptr(info->ari_id);
        f.serial = take_ptr(info->serial);
        f.ocsp_id = take_ptr(info->ocsp_id);
        f.ocsp_url = take_ptr(info->ocsp_url);
        f.crl_url = take_ptr(info->crl_url);
        f.sha256 = take_ptr(info->sha256);
        f.key_sha256 = take_ptr(info->key_sha256);
        f.not_before_usec = info->not_before_usec;
        f.not_after_usec = info->not_after_usec;
        f.must_staple = info->must_staple;
        f.received_usec = received_usec;
        *ret = f;
        return 0;
}

static int read_one(const Place *place, const KeySpec *spec, CertFactsList *facts, char **ret_damaged) {
        char file[KEY_SPEC_FILE_MAX], name[KEY_SPEC_NAME_MAX];
        _auto_free_ char *pem = NULL;
        _auto_problem_ Problem *problem = NULL;
        _auto_cert_chain_ CertChain chain = { 0 };
        CertInfo info = { 0 };
        CertFacts f = { 0 };
        int r;

        r = store_domain_read_chain(place->store, place->set, place->name, spec, &pem);
        if (r != 0)
                return r < 0 ? r : 0; /* missing */
        r = cert_chain_from_pem(pem, strlen(pem), &chain, &problem);
        if (r == 0)
                r = cert_info_read(chain.certs[0], &info);
        if (r < 0) {
                if (ret_damaged && !*ret_damaged)
                        *ret_damaged = str_printf("%s/%s/%s is no certificate any more: %s", store_set_directory(place->set), place->name,
                                                  key_spec_file(spec, "pubcert", file), problem ? problem->detail : strerror(-r));
                return r == -ENOMEM ? r : 0;
        }
        r = deliver_take_facts(&info, key_spec_name(spec, name), key_belongs(place, spec, chain.certs[0]), place->received_usec, &f);
        cert_info_done(&info);
        if (r == 0)
                r = cert_facts_list_take(facts, &f);
        cert_facts_done(&f);
        return r;
}

static int read_all(const Place *place, const KeySpecs *keys, CertFactsList *ret, char **ret_damaged) {
        CertFactsList facts = { 0 };

        for (size_t i = 0; i < key_specs_count(keys); i++) {
                KeySpec spec = key_specs_get(keys, i);
                int r = read_one(place, &spec, &facts, ret_damaged);

                if (r < 0) {
                        cert_facts_list_done(&facts);
                        return r;
                }
        }
        *ret = facts;
        return 0;
}

int deliver_read_facts(Domain *d, int set, CertFactsList *ret, char **ret_damaged) {
        const Place place = { d->manager->store, (StoreSet) set, DOMAIN_NAME(d), set == STORE_SET_LIVE ? d->job->activated_usec : 0 };

        return read_all(&place, &d->config->keys, ret, ret_damaged);
}

int deliver_read_archived_facts(Store *store, const char *entry, const KeySpecs *keys, CertFactsList *ret) {
        return read_all(&(Place){ store, STORE_SET_ARCHIVE, entry, 0 }, keys, ret, NULL);
}

/* Whether its topmost certificate was issued by somebody of this name. */
static bool chain_leads_to(const CertChain *chain, const char *issuer) {
        for (size_t i = chain->n; i-- > 0;) {
                CertInfo info = { 0 };
                bool found;

                if (cert_info_read(chain->certs[i], &info) < 0)
                        continue;
                found = str_equal_nocase(info.issuer, issuer);
                cert_info_done(&info);
                if (found)
                        return true;
        }
        return false;
}

/* The alternates are only looked through for one that is wanted: a chain among them that makes no sense is as good as none. */
static int choose_chain(Renewal *r, char *const *chains, CertChain *ret, Problem **ret_problem) {
        const char *issuer = r->task.settings->preferred_chain;

        for (char *const *pem = chains; issuer && *pem; pem++) {
                CertChain chain = { 0 };

                if (cert_chain_from_pem(*pem, strlen(*pem), &chain, NULL) == 0 && chain_leads_to(&chain, issuer)) {
                        *ret = chain;
                        return 0;
                }
                cert_chain_done(&chain);
        }
        if (issuer)
                log_warning("%s: %s offers no chain that leads to '%s' (MDPreferredChain); the one that it prefers is used.", DOMAIN_NAME(r->domain), r->task.ca_url,
                            issuer);
        return cert_chain_from_pem(chains[0], strlen(chains[0]), ret, ret_problem);
}

int deliver_chain(Renewal *r, char *const *chains, Problem **ret_problem) {
        Domain *d = r->domain;
        KeySpec spec = renewal_spec(r);
        char *const first[] = { r->task.settings->names[0], NULL };
        CertExpectation expected = {
                .key = r->keys[r->current].key,
                .names = task_is_local(&r->task) ? first : r->task.settings->names,
                .now_usec = clock_now_usec(),
                .must_staple = r->task.settings->must_staple,
        };
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_free_ char *clean = NULL;
        int k;

        if (!expected.key) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_CHAIN, "A certificate came before there was a key");
                return -EBADMSG;
        }
        k = choose_chain(r, chains, &chain, ret_problem);
        if (k == 0)
                k = cert_chain_verify(&chain, &expected, ret_problem);
        if (k == 0)
                k = cert_chain_to_pem(&chain, &clean); /* what we understood, not what was sent */
        if (k < 0) {
                problem_prefix(*ret_problem, "The certificate that %s sent is not used", r->task.ca_url);
                return k;
        }
        k = store_domain_write_chain(d->manager->store, STORE_SET_STAGING, DOMAIN_NAME(d), &spec, clean);
        if (k != 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot write the new certificate to %s/staging/%s: %s", store_path(d->manager->store),
                                   DOMAIN_NAME(d), strerror(k < 0 ? -k : EIO));
                return k < 0 ? k : -EIO;
        }
        return 0;
}
