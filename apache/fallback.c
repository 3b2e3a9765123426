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
        X509 *cert; /* the last one that was made: the next one differs in few things */
        uint64_t from_usec, until_usec;
        PairMemory *known; /* the digest is that of the names */
};

/* Signing with it takes no time that one could notice, also for thousands of domains at one start. */
const KeySpec fallback_key_spec = { .type = KEY_TYPE_EC, .curve = "P-256" };

static apr_status_t free_fallbacks(void *data) {
        Fallbacks *f = data;

        X509_free(f->cert);
        EVP_PKEY_free(f->key);
        (void) secret_free(f->key_pem);
        *f = (Fallbacks){ 0 };
        return APR_SUCCESS;
}

Fallbacks *fallbacks_make(apr_pool_t *p, PairMemory *known) {
        Fallbacks *f = apr_pcalloc(p, sizeof(*f));

        f->known = known;
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

static bool is_long_enough(uint64_t from_usec, uint64_t until_usec) {
        uint64_t now_usec = clock_now_usec();

        return now_usec >= from_usec && until_usec >= usec_add(now_usec, FALLBACK_DAYS_LEAST * USEC_PER_DAY);
}

static bool text_is_good(apr_pool_t *p, const char *text, char *const *names, const Secret *key, uint64_t *ret_until_usec) {
        const char *cert_pem = strchr(text, '\n');
        uint64_t from, until;

        if (!cert_pem || sscanf(text, LINE, &from, &until) != 2 || from > USEC_INFINITY / USEC_PER_SEC || until > USEC_INFINITY / USEC_PER_SEC)
                return false;
        if (!is_long_enough(from * USEC_PER_SEC, until * USEC_PER_SEC) || !str_equal(text, file_text(p, from, until, names, key, cert_pem + 1)))
                return false;
        *ret_until_usec = until * USEC_PER_SEC;
        return true;
}

/* What an earlier pass has read or made. Only servers write here, and always new files, so that also what is new can be known again: at the first
 * start, which has two passes, all of them are. */

static bool names_digest(char *const *names, uint8_t ret[static DIGEST_SHA256_SIZE]) {
        _auto_free_ char *joined = strv_join(names, ",");

        return joined && digest_sha256(joined, strlen(joined), ret) == 0;
}

static bool is_known(Fallbacks *f, const PairMark *mark, char *const *names) {
        const PairKnown *known = pair_memory_recall(f->known, mark);
        uint8_t digest[DIGEST_SHA256_SIZE];

        return known && is_long_enough(0, known->until_usec) && names_digest(names, digest) && memcmp(digest, known->digest, sizeof(digest)) == 0;
}

static void know(Fallbacks *f, const PairMark *mark, char *const *names, uint64_t until_usec) {
        PairKnown known = { .until_usec = until_usec };

        if (names_digest(names, known.digest))
                pair_memory_keep(f->known, mark, &known);
}

static bool is_good(Fallbacks *f, StoreView *v, apr_pool_t *p, const char *directory, const StoreViewPair *pair, char *const *names) {
        const char *text = NULL, *why = NULL;
        _auto_secret_ Secret *key = NULL;
        uint64_t until_usec = 0;
        PairMark mark;

        if (!pair_mark_take(pair->cert_file, pair->key_file, &mark))
                return false;
        if (is_known(f, &mark, names))
                return true;
        if (store_view_read_pair(v, p, STORE_VIEW_FALLBACK, directory, &fallback_key_spec, &text, &key, &why) != STORE_VIEW_DONE ||
            !text_is_good(p, text, names, key, &until_usec))
                return false;
        know(f, &mark, names, until_usec);
        return true;
}

static int ensure_key(Fallbacks *f, Problem **ret_problem) {
        int r = 0;

        if (!f->key)
                r = key_make(&fallback_key_spec, &f->key, ret_problem);
        if (r == 0 && !f->key_pem)
                r = key_to_pem(f->key, &f->key_pem);
        return r;
}

/* From a day ago, for visitors whose clocks are late. */
static int make_first(Fallbacks *f, char *const *names) {
        uint64_t now_usec = clock_now_usec();

        f->from_usec = usec_sub(now_usec, USEC_PER_DAY);
        f->until_usec = usec_add(now_usec, FALLBACK_DAYS * USEC_PER_DAY);
        return cert_make_self_signed(f->key, FALLBACK_COMMON_NAME, names, f->from_usec, f->until_usec, &f->cert);
}

static int make_next(Fallbacks *f, char *const *names) {
        int r = cert_change_self_signed(f->cert, f->key, names);

        if (r != 0) {
                X509_free(f->cert);
                f->cert = NULL;
        }
        return r;
}

/* The text of the file, from 'p'; NULL: none could be made. */
static const char *make_text(Fallbacks *f, apr_pool_t *p, char *const *names) {
        _auto_free_ char *cert_pem = NULL;
        CertChain chain = { .n = 1 };

        if ((f->cert ? make_next(f, names) : make_first(f, names)) != 0)
                return NULL;
        chain.certs[0] = f->cert; /* stays with 'f' */
        if (cert_chain_to_pem(&chain, &cert_pem) != 0)
                return NULL;
        return file_text(p, f->from_usec / USEC_PER_SEC, f->until_usec / USEC_PER_SEC, names, f->key_pem, cert_pem);
}

static int make(Fallbacks *f, StoreView *v, apr_pool_t *p, const char *directory, const StoreViewPair *pair, char *const *names, const char **ret_why) {
        _auto_problem_ Problem *problem = NULL;
        const char *text;
        PairMark mark;
        int r;

        if (ensure_key(f, &problem) != 0)
                return failed(p, problem, ret_why);
        text = make_text(f, p, names);
        if (!text)
                return failed(p, NULL, ret_why);

        r = store_view_write_fallback(v, p, directory, &fallback_key_spec, f->key_pem, text, ret_why);
        if (r == STORE_VIEW_DONE && pair_mark_take(pair->cert_file, pair->key_file, &mark))
                know(f, &mark, names, f->until_usec / USEC_PER_SEC * USEC_PER_SEC);
        return r;
}

int fallback_ensure(Fallbacks *f, StoreView *v, apr_pool_t *p, const ManagedDomain *d, StoreViewPair *ret, const char **ret_why) {
        const char *directory = directory_for(p, d);
        _auto_strv_ char **names = NULL;
        StoreViewPair pair;
        int r = STORE_VIEW_DONE;

        if (names_for(d, &names) < 0 || store_view_pair(v, p, STORE_VIEW_FALLBACK, directory, &fallback_key_spec, &pair) != STORE_VIEW_DONE)
                return failed(p, NULL, ret_why);
        if (!is_good(f, v, p, directory, &pair, names))
                r = make(f, v, p, directory, &pair, names, ret_why);
        if (r == STORE_VIEW_DONE)
                *ret = pair;
        return r;
}

void fallback_prune(StoreView *v) {
        store_view_prune_fallbacks(v, usec_sub(clock_now_usec(), FALLBACK_DAYS * USEC_PER_DAY));
}
