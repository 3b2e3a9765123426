/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/challenge-alpn.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "manager/challenge-answer.h"
#include "store/challenge.h"

/* A clock that is somewhat off, and an order that takes long. */
#define BEFORE_USEC USEC_PER_DAY
#define LIFE_USEC (7 * USEC_PER_DAY)

/* What every CA can verify, and the virtual host's TLS settings allow for keys of this type. */
static const KeySpec rsa_spec = { .type = KEY_TYPE_RSA, .bits = 2048 };
static const KeySpec ec_spec = { .type = KEY_TYPE_EC, .curve = "P-256" };

struct AlpnKeys {
        EVP_PKEY *rsa, *ec; /* NULL: not made yet */
};

AlpnKeys *alpn_keys_new(void) {
        return calloc(1, sizeof(AlpnKeys));
}

AlpnKeys *alpn_keys_free(AlpnKeys *k) {
        if (!k)
                return NULL;
        EVP_PKEY_free(k->rsa);
        EVP_PKEY_free(k->ec);
        free(k);
        return NULL;
}

bool challenge_alpn_wants_key(const Renewal *r, KeySpec *ret) {
        if (r->domain->manager->alpn_keys->rsa)
                return false;
        for (size_t i = 0; i < key_specs_count(&r->task.settings->keys); i++)
                if (key_specs_get(&r->task.settings->keys, i).type != KEY_TYPE_EC) {
                        *ret = rsa_spec;
                        return true;
                }
        return false;
}

int challenge_alpn_take_key(Manager *m, EVP_PKEY *key) {
        if (m->alpn_keys->rsa)
                return 0;
        if (EVP_PKEY_up_ref(key) != 1)
                return -ENOMEM;
        m->alpn_keys->rsa = key;
        return 0;
}

static int find_key(AlpnKeys *k, const KeySpec *spec, EVP_PKEY **ret) {
        int r;

        if (spec->type == KEY_TYPE_EC && !k->ec) {
                r = key_make(&ec_spec, &k->ec, NULL);
                if (r != 0)
                        return r < 0 ? r : -EIO;
        }
        *ret = spec->type == KEY_TYPE_EC ? k->ec : k->rsa;
        assert(*ret);
        return 0;
}

static int make(EVP_PKEY *key, const char *name, const char *key_authorization, char **ret_cert, Secret **ret_key) {
        _cleanup_(cert_chain_done) CertChain chain = { .n = 1 };
        uint64_t now = clock_now_usec();
        int r;

        r = cert_make_acme_tls(key, name, key_authorization, usec_sub(now, BEFORE_USEC), usec_add(now, LIFE_USEC), &chain.certs[0]);
        if (r == 0)
                r = key_to_pem(key, ret_key);
        return r == 0 ? cert_chain_to_pem(&chain, ret_cert) : r;
}

static int put(Renewal *r, const char *name, const KeySpec *spec, const char *key_authorization) {
        _auto_secret_ Secret *key_pem = NULL;
        _auto_free_ char *cert = NULL;
        EVP_PKEY *key;
        int k;

        k = find_key(r->domain->manager->alpn_keys, spec, &key);
        if (k == 0)
                k = make(key, name, key_authorization, &cert, &key_pem);
        if (k == 0)
                k = challenge_answer_add(r, CHALLENGE_TYPE_TLS_ALPN01, name, cert, spec);
        if (k == 0)
                k = store_challenge_write_alpn(r->domain->manager->store, name, spec, cert, key_pem);
        return k > 0 ? -EIO : k;
}

/* A client without TLS 1.3 gets a cipher for one of the certificates that the virtual host has at this time, before the challenge is looked at. A new
 * domain begins with a fallback on this curve, whatever its own keys will be. */
static int put_for_fallback(Renewal *r, const char *name, const char *key_authorization) {
        const KeySpecs *keys = &r->task.settings->keys;

        for (size_t i = 0; i < key_specs_count(keys); i++) {
                KeySpec spec = key_specs_get(keys, i);

                if (key_spec_equal(&spec, &ec_spec))
                        return 0;
        }
        return put(r, name, &ec_spec, key_authorization);
}

int challenge_alpn_put(Renewal *r, const char *name, const char *key_authorization) {
        int k = 0;

        for (size_t i = 0; k == 0 && i < key_specs_count(&r->task.settings->keys); i++) {
                KeySpec spec = key_specs_get(&r->task.settings->keys, i);

                k = put(r, name, &spec, key_authorization);
        }
        return k == 0 ? put_for_fallback(r, name, key_authorization) : k;
}
