/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/renewal-keys.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "crypto/key.h"
#include "manager/challenges.h"
#include "manager/deliver.h"
#include "manager/next-keys.h"
#include "manager/worker-bus.h"
#include "manager/worker-order.h"
#include "store/domain.h"

static int keep_key(Renewal *r, EVP_PKEY *key, const KeySpec *spec) {
        _auto_secret_ Secret *pem = NULL;
        int k = key_to_pem(key, &pem);

        if (k == 0)
                k = store_domain_write_key(r->domain->manager->store, STORE_SET_STAGING, DOMAIN_NAME(r->domain), spec, pem);
        return k > 0 ? -EIO : k;
}

static size_t index_of_request(const Renewal *r, const KeyRequest *request) {
        size_t i = 0;

        while (r->keys[i].request != request)
                i++;
        assert(i < ELEMENTSOF(r->keys));
        return i;
}

static void on_key(KeyRequest *request, EVP_PKEY *key, const Problem *problem, void *userdata) {
        Renewal *r = userdata;
        size_t i = index_of_request(r, request);
        KeySpec spec = key_specs_get(&r->task.settings->keys, i);
        _auto_problem_ Problem *copy = problem ? problem_copy(problem) : NULL;
        int k = 0;

        if (key) {
                /* Before it has a place there is no staging: renewal_prepare_keys() will put it there. */
                if (r->task.state != TASK_QUEUED)
                        k = keep_key(r, key, &spec);
                if (k == 0 && EVP_PKEY_up_ref(key) == 1)
                        r->keys[i].key = key;
                else
                        copy = problem_new(PROBLEM_TYPE_STORE, "Cannot write the new private key to %s/" STORE_STAGING "/%s: %s",
                                           store_path(r->domain->manager->store), DOMAIN_NAME(r->domain), strerror(-k));
        }
        r->keys[i].request = key_request_free(request);
        manager_kick(r->domain->manager); /* there may be room for another one that waits for its keys */
        if (!r->keys[i].key)
                task_end(&r->task, copy);
        else if (r->task.state != TASK_QUEUED && i == r->current)
                worker_order_key_ready(r);
}

/* Some take seconds to make, the others less than it takes to ask somebody else. */
static bool is_slow(const KeySpec *spec) {
        return spec->type != KEY_TYPE_EC;
}

void renewal_order_keys(Renewal *r) {
        if (r->task.settings->key_reuse || r->task.settings->next_key || task_is_local(&r->task))
                return;
        for (size_t i = 0; i < key_specs_count(&r->task.settings->keys); i++) {
                KeySpec spec = key_specs_get(&r->task.settings->keys, i);

                /* One that cannot be asked for now is asked for when the renewal has a place. */
                if (is_slow(&spec))
                        (void) key_request_new(r->domain->manager->keys, &spec, on_key, r, &r->keys[i].request);
        }
}

bool renewal_waits_for_keys(const Renewal *r) {
        for (size_t i = 0; i < ELEMENTSOF(r->keys); i++)
                if (r->keys[i].request)
                        return true;
        return false;
}

static int take_from_set(Renewal *r, StoreSet set, const KeySpec *spec, EVP_PKEY **ret) {
        _auto_secret_ Secret *pem = NULL;

        if (store_domain_read_key(r->domain->manager->store, set, DOMAIN_NAME(r->domain), spec, &pem) != 0)
                return 0;
        return next_key_from_pem(r->domain, spec, pem, ret, NULL);
}

static int take_next(Renewal *r, const KeySpec *spec, EVP_PKEY **ret) {
        _auto_secret_ Secret *pem = NULL;

        if (store_domain_read_next_key(r->domain->manager->store, DOMAIN_NAME(r->domain), spec, &pem) != 0)
                return 0;
        return next_key_from_pem(r->domain, spec, pem, ret, NULL);
}

/* A key that is there already. 0 without *ret: there is none. */
static int take_key(Renewal *r, const KeySpec *spec, EVP_PKEY **ret) {
        _auto_pkey_ EVP_PKEY *key = NULL;
        int k;

        k = take_from_set(r, STORE_SET_STAGING, spec, ret);
        if (k < 0 || *ret)
                return k;
        if (r->task.settings->key_reuse)
                k = take_from_set(r, STORE_SET_LIVE, spec, &key);
        if (k == 0 && !key && r->task.settings->next_key)
                k = take_next(r, spec, &key);
        if (k == 0 && key)
                k = keep_key(r, key, spec);
        if (k == 0)
                *ret = take_ptr(key);
        return k;
}

KeySpec renewal_spec(const Renewal *r) {
        return key_specs_get(&r->task.settings->keys, r->current);
}

int renewal_keep_key(Renewal *r, size_t i) {
        KeySpec spec = key_specs_get(&r->task.settings->keys, i);

        return keep_key(r, r->keys[i].key, &spec);
}

static void skip_staged(Renewal *r) {
        while (r->current + 1 < key_specs_count(&r->task.settings->keys) && r->keys[r->current].staged)
                r->current++;
}

bool renewal_next_spec(Renewal *r) {
        r->keys[r->current].staged = true;
        skip_staged(r);
        if (r->keys[r->current].staged)
                return false;
        challenges_tear_down(r);
        r->binding.challenge_urls = strv_free(r->binding.challenge_urls);
        r->binding.challenges = 0;
        r->binding.finalized = r->binding.resumed = false;
        r->task.binding.signed_for = false; /* the worker begins anew, with the CA's directory */
        job_forget_order(r->domain->job);
        domain_save_job(r->domain);
        return true;
}

/* What was ordered ahead is not needed. */
static int drop_ordered(Renewal *r, size_t i) {
        r->keys[i].request = key_request_free(r->keys[i].request);
        EVP_PKEY_free(take_ptr(r->keys[i].key));
        return 0;
}

static int prepare_key(Renewal *r, size_t i, const CertFactsList *staged, Problem **ret_problem) {
        KeySpec spec = key_specs_get(&r->task.settings->keys, i);
        char name[KEY_SPEC_NAME_MAX];
        const CertFacts *f = cert_facts_find(staged, key_spec_name(&spec, name));
        _auto_pkey_ EVP_PKEY *found = NULL;
        int k;

        r->keys[i].staged = f && f->key_matches && !strv_contains(r->domain->job->revoked_keys, f->key_sha256);
        if (r->keys[i].staged)
                return drop_ordered(r, i);
        k = take_key(r, &spec, &found);
        if (k < 0)
                return k;
        if (found) {
                (void) drop_ordered(r, i);
                r->keys[i].key = take_ptr(found);
                return 0;
        }
        if (r->keys[i].key)
                return keep_key(r, r->keys[i].key, &spec);
        if (r->keys[i].request)
                return 0;
        if (is_slow(&spec))
                return key_request_new(r->domain->manager->keys, &spec, on_key, r, &r->keys[i].request);
        k = key_make(&spec, &r->keys[i].key, ret_problem);
        return k < 0 ? k : keep_key(r, r->keys[i].key, &spec);
}

int renewal_prepare_keys(Renewal *r, Problem **ret_problem) {
        CertFactsList staged = { 0 };
        int k;

        k = deliver_read_facts(r->domain, STORE_SET_STAGING, &staged, NULL);
        for (size_t i = 0; k == 0 && i < key_specs_count(&r->task.settings->keys); i++)
                k = prepare_key(r, i, &staged, ret_problem);
        cert_facts_list_done(&staged);
        if (k < 0)
                return k;
        /* An order whose key is not there was not finalized: the key is in staging before that, and whatever key is made now will do. */
        skip_staged(r);
        return 0;
}

static bool uses_revoked_key(const Renewal *r) {
        for (size_t i = 0; i < ELEMENTSOF(r->keys); i++) {
                _auto_free_ char *sha256 = NULL;

                if (r->keys[i].key && key_public_sha256(r->keys[i].key, &sha256) == 0 && strv_contains(r->domain->job->revoked_keys, sha256))
                        return true;
        }
        return false;
}

void renewal_drop_revoked_keys(Domain *d) {
        _auto_problem_ Problem *p = NULL;

        if (!d->renewal || !uses_revoked_key(d->renewal))
                return;
        p = problem_new(PROBLEM_TYPE_INTERNAL, "A certificate with the same key was revoked meanwhile; another key is used with the next try");
        worker_bus_stop_unit(&d->renewal->task);
        task_end(&d->renewal->task, p);
}
