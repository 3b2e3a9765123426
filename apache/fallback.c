/* SPDX-License-Identifier: Apache-2.0 */
#include "fallback.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apr_strings.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "domain/name.h"

/* A file is a line of text, which readers of PEM skip, and the certificate. The line says from when until when it is good, and has a
 * digest over these times, the names, the key and the certificate. So one look finds out whether this is what would be made now,
 * or something older, torn, or put together from two: without reading a thousand certificates at each start. */

#define FALLBACK_COMMON_NAME "Apache Managed Domain Fallback"
#define LINE "Fallback of md-manager, from %" PRIu64 " until %" PRIu64 ", "

enum {
        FALLBACK_DAYS = 14,
        FALLBACK_DAYS_LEAST = 7, /* less than this left: a new one */
};

struct Fallbacks {
        EVP_PKEY *key;
        Secret *key_pem;
};

/* P-256 whatever the domain's keys will be: signing with it takes no time that one could notice, also for thousands of domains at
 * one start. */
static const KeySpec fallback_key = { .type = KEY_TYPE_EC, .curve = "P-256" };

static apr_status_t free_fallbacks(void *data) {
        Fallbacks *f = data;

        EVP_PKEY_free(f->key);
        (void) secret_free(f->key_pem);
        *f = (Fallbacks){ 0 };
        return APR_SUCCESS;
}

Fallbacks *fallbacks_make(apr_pool_t *p) {
        Fallbacks *f = apr_pcalloc(p, sizeof(*f));

        apr_pool_cleanup_register(p, f, free_fallbacks, free_fallbacks);
        return f;
}

static int failed(apr_pool_t *p, const Problem *problem, const char **ret_why) {
        *ret_why = problem ? apr_pstrdup(p, problem->detail) : "no fallback certificate could be made";
        return STORE_VIEW_E_FAILED;
}

/* Names that can be in a certificate; at least one. */
static int names_for(const ManagedDomain *d, char ***ret) {
        _auto_strv_ char **names = NULL;

        STRV_FOREACH(name, d->names)
                if (domain_identifier_is_valid(*name) && strv_extend(&names, *name) < 0)
                        return -ENOMEM;
        if (!names && strv_extend(&names, "localhost") < 0)
                return -ENOMEM;
        strv_sort(names);
        *ret = take_ptr(names);
        return 0;
}

/* What cannot be a directory of the store (it is no DNS name either, and refused) goes by its hash. */
static const char *directory_for(apr_pool_t *p, const ManagedDomain *d) {
        _auto_free_ char *hash = NULL;

        if (store_view_name_is_valid(d->name))
                return d->name;
        if (digest_sha256_hex(d->name, strlen(d->name), &hash) < 0)
                return "invalid";
        return apr_pstrdup(p, hash);
}

/* The whole file for these times and this certificate. NULL: no digest. */
static const char *file_text(apr_pool_t *p, uint64_t from, uint64_t until, char *const *names, const Secret *key, const char *cert_pem) {
        const char *line = apr_psprintf(p, LINE, from, until), *all;
        _auto_free_ char *joined = strv_join(names, ","), *digest = NULL;

        if (!joined)
                return NULL;
        all = apr_pstrcat(p, line, joined, "\n", key->data, "\n", cert_pem, NULL);
        if (digest_sha256_hex(all, strlen(all), &digest) < 0)
                return NULL;
        return apr_pstrcat(p, line, digest, "\n", cert_pem, NULL);
}

static bool text_is_good(apr_pool_t *p, const char *text, char *const *names, const Secret *key) {
        uint64_t from, until, now = clock_now_usec() / USEC_PER_SEC;
        const char *cert_pem = strchr(text, '\n');

        if (!cert_pem || sscanf(text, LINE, &from, &until) != 2)
                return false;
        if (now < from || until < now + FALLBACK_DAYS_LEAST * USEC_PER_DAY / USEC_PER_SEC)
                return false;
        return str_equal(text, file_text(p, from, until, names, key, cert_pem + 1));
}

static bool is_good(StoreView *v, apr_pool_t *p, const char *directory, char *const *names) {
        const char *text = NULL, *why = NULL;
        _auto_secret_ Secret *key = NULL;

        return store_view_read_chain(v, p, STORE_VIEW_FALLBACK, directory, &fallback_key, &text, &why) == STORE_VIEW_DONE &&
                store_view_read_key(v, p, STORE_VIEW_FALLBACK, directory, &fallback_key, &key, &why) == STORE_VIEW_DONE &&
                text_is_good(p, text, names, key);
}

static int ensure_key(Fallbacks *f, Problem **ret_problem) {
        int r = 0;

        if (!f->key)
                r = key_make(&fallback_key, &f->key, ret_problem);
        if (r == 0 && !f->key_pem)
                r = key_to_pem(f->key, &f->key_pem);
        return r;
}

static int make(Fallbacks *f, StoreView *v, apr_pool_t *p, const char *directory, char *const *names, const char **ret_why) {
        /* From a day ago, for visitors whose clocks are late. */
        uint64_t now_usec = clock_now_usec(), from_usec = usec_sub(now_usec, USEC_PER_DAY);
        uint64_t until_usec = usec_add(now_usec, FALLBACK_DAYS * USEC_PER_DAY);
        _auto_problem_ Problem *problem = NULL;
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_free_ char *cert_pem = NULL;
        const char *text;

        if (ensure_key(f, &problem) != 0)
                return failed(p, problem, ret_why);
        if (cert_make_self_signed(f->key, FALLBACK_COMMON_NAME, names, from_usec, until_usec, &chain.certs[0]) != 0)
                return failed(p, NULL, ret_why);
        chain.n = 1;
        if (cert_chain_to_pem(&chain, &cert_pem) != 0)
                return failed(p, NULL, ret_why);

        text = file_text(p, from_usec / USEC_PER_SEC, until_usec / USEC_PER_SEC, names, f->key_pem, cert_pem);
        if (!text)
                return failed(p, NULL, ret_why);
        return store_view_write_fallback(v, p, directory, &fallback_key, f->key_pem, text, ret_why);
}

int fallback_ensure(Fallbacks *f, StoreView *v, apr_pool_t *p, const ManagedDomain *d, const char **ret_why) {
        const char *directory = directory_for(p, d);
        _auto_strv_ char **names = NULL;

        if (names_for(d, &names) < 0)
                return failed(p, NULL, ret_why);
        return is_good(v, p, directory, names) ? STORE_VIEW_DONE : make(f, v, p, directory, names, ret_why);
}

int fallback_pair(StoreView *v, apr_pool_t *p, const ManagedDomain *d, StoreViewPair *ret) {
        return store_view_pair(v, p, STORE_VIEW_FALLBACK, directory_for(p, d), &fallback_key, ret);
}
