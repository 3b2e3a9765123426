/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/next-keys.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "crypto/key.h"
#include "store/domain.h"

int next_key_from_pem(const Domain *d, const KeySpec *spec, const Secret *pem, EVP_PKEY **ret, char **ret_sha256) {
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_free_ char *sha256 = NULL;
        int r;

        r = key_from_pem(pem->data, pem->size, &key, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        if (!key_matches_spec(key, spec))
                return 0;
        r = key_public_sha256(key, &sha256);
        if (r < 0)
                return r;
        if (strv_contains(d->job->revoked_keys, sha256))
                return 0;
        if (ret_sha256)
                *ret_sha256 = take_ptr(sha256);
        *ret = take_ptr(key);
        return 0;
}

static NextKey *find(const Domain *d, const KeySpec *spec) {
        for (size_t i = 0; i < d->n_next_keys; i++)
                if (key_spec_equal(&d->next_keys[i].spec, spec))
                        return (NextKey *) &d->next_keys[i];
        return NULL;
}

const char *next_key_sha256(const Domain *d, const KeySpec *spec) {
        const NextKey *n = find(d, spec);

        return n ? n->sha256 : NULL;
}

static void next_key_done(NextKey *n) {
        key_request_free(n->request);
        free(n->sha256);
        *n = (NextKey){ 0 };
}

void next_keys_done(Domain *d) {
        while (d->n_next_keys > 0)
                next_key_done(&d->next_keys[--d->n_next_keys]);
}

void next_keys_forget(Domain *d) {
        d->next_keys_known = false;
}

static void tell_failed(const Domain *d, int r, const char *what) {
        (void) log_failure(r < 0 ? r : -EIO, "%s: Cannot %s the key made ahead in %s/" STORE_RESERVE "/%s: %m", DOMAIN_NAME(d), what, store_path(d->manager->store),
                           DOMAIN_NAME(d));
}

static void drop(Domain *d, NextKey *n) {
        int r = store_domain_remove_next_key(d->manager->store, DOMAIN_NAME(d), &n->spec);

        if (r != 0)
                tell_failed(d, r, "remove");
        free(take_ptr(n->sha256));
}

/* --- One that is there --- */

static void read_stored(Domain *d, NextKey *n) {
        _auto_secret_ Secret *pem = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_free_ char *sha256 = NULL;

        if (store_domain_read_next_key(d->manager->store, DOMAIN_NAME(d), &n->spec, &pem) == 0 && next_key_from_pem(d, &n->spec, pem, &key, &sha256) < 0)
                return; /* out of memory: what was known counts */
        free(n->sha256);
        n->sha256 = take_ptr(sha256);
}

static bool is_used_up(const Domain *d, const NextKey *n) {
        char name[KEY_SPEC_NAME_MAX];
        const CertFacts *live = cert_facts_find(&d->live, key_spec_name(&n->spec, name));

        return (live && str_equal(live->key_sha256, n->sha256)) || strv_contains(d->job->revoked_keys, n->sha256);
}

static int keep(Domain *d, NextKey *n, EVP_PKEY *key) {
        _auto_secret_ Secret *pem = NULL;
        _auto_free_ char *sha256 = NULL;
        int r = key_to_pem(key, &pem);

        if (r == 0)
                r = key_public_sha256(key, &sha256);
        if (r == 0)
                r = store_domain_write_next_key(d->manager->store, DOMAIN_NAME(d), &n->spec, pem);
        if (r != 0)
                return r;
        free(n->sha256);
        n->sha256 = take_ptr(sha256);
        return 0;
}

/* --- One that is not --- */

static void on_key(KeyRequest *request, EVP_PKEY *key, const Problem *problem, void *userdata) {
        Domain *d = userdata;
        size_t i = 0;
        int r;

        while (d->next_keys[i].request != request)
                i++;
        assert(i < d->n_next_keys);
        if (key) {
                r = keep(d, &d->next_keys[i], key);
                if (r != 0)
                        tell_failed(d, r, "keep");
        } else
                log_warning("%s: Cannot make the next key ahead: %s", DOMAIN_NAME(d), problem->detail);
        d->next_keys[i].request = key_request_free(request);
        domain_changed(d);
}

/* A renewal that has not come to its end goes on with the key that it has: that one is the next. */
static bool adopt_staged(Domain *d, NextKey *n) {
        _auto_secret_ Secret *pem = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;
        NextKey staged = { .spec = n->spec };
        bool used_up;

        if (d->job->phase == JOB_PHASE_IDLE || store_domain_read_key(d->manager->store, STORE_SET_STAGING, DOMAIN_NAME(d), &n->spec, &pem) != 0 ||
            next_key_from_pem(d, &n->spec, pem, &key, &staged.sha256) < 0 || !key)
                return false;
        used_up = is_used_up(d, &staged);
        free(staged.sha256);
        return !used_up && keep(d, n, key) == 0;
}

static void update_one(Domain *d, NextKey *n) {
        int r;

        if (!d->next_keys_known)
                read_stored(d, n);
        if (n->sha256 && is_used_up(d, n))
                drop(d, n);
        if (n->sha256 || n->request || adopt_staged(d, n))
                return;
        r = key_request_new(d->manager->keys, &n->spec, on_key, d, &n->request);
        if (r < 0)
                tell_failed(d, r, "ask for");
}

/* --- All of a domain --- */

static bool is_configured(const Domain *d, const KeySpec *spec) {
        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                KeySpec configured = key_specs_get(&d->config->keys, i);

                if (key_spec_equal(&configured, spec))
                        return true;
        }
        return false;
}

static void drop_others(Domain *d) {
        for (size_t i = d->n_next_keys; i-- > 0;) {
                if (is_configured(d, &d->next_keys[i].spec))
                        continue;
                drop(d, &d->next_keys[i]);
                next_key_done(&d->next_keys[i]);
                d->next_keys[i] = d->next_keys[--d->n_next_keys];
        }
}

static NextKey *find_or_add(Domain *d, const KeySpec *spec) {
        NextKey *n = find(d, spec);

        if (n)
                return n;
        assert(d->n_next_keys < ELEMENTSOF(d->next_keys));
        n = &d->next_keys[d->n_next_keys++];
        *n = (NextKey){ .spec = *spec };
        return n;
}

/* Nobody wants one: what was made while somebody did goes away. */
static void drop_all(Domain *d) {
        if (d->next_keys_known && d->n_next_keys == 0)
                return;
        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);
                int r = store_domain_remove_next_key(d->manager->store, DOMAIN_NAME(d), &spec);

                if (r != 0)
                        tell_failed(d, r, "remove");
        }
        next_keys_done(d);
        d->next_keys_known = true;
}

void next_keys_update(Domain *d) {
        if (!d->managed || !d->live_known || d->renewal) /* its end brings us back */
                return;
        if (!d->config->next_key) {
                drop_all(d);
                return;
        }
        drop_others(d);
        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);

                update_one(d, find_or_add(d, &spec));
        }
        d->next_keys_known = true;
}
