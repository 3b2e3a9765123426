/* SPDX-License-Identifier: Apache-2.0 */
#include "fallback.h"

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
#include "pair.h"

#define FALLBACK_COMMON_NAME "Apache Managed Domain Fallback"

enum {
        FALLBACK_DAYS = 14,
        FALLBACK_DAYS_LEAST = 7, /* less than this left: a new one */
};

/* P-256 whatever the domain's keys will be: making it takes no time that one could notice, also for thousands of domains at
 * one start. */
static const KeySpec fallback_key = { .type = KEY_TYPE_EC, .curve = "P-256" };

static int failed(apr_pool_t *p, const Problem *problem, const char **ret_why) {
        *ret_why = problem ? apr_pstrdup(p, problem->detail) : "no fallback certificate could be made";
        return STORE_VIEW_E_FAILED;
}

/* Names that can be in a certificate; at least one. */
static int names_for(const ManagedDomain *d, char ***ret) {
        _auto_strv_ char **names = NULL;

        STRV_FOREACH(name, d->names)
                if (domain_name_is_valid(*name) && strv_extend(&names, *name) < 0)
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

static bool certificate_is_good(const char *pem, char *const *names) {
        _auto_cert_chain_ CertChain chain = { 0 };
        uint64_t now_usec = clock_now_usec();
        CertInfo info = { 0 };
        bool good;

        if (cert_chain_from_pem(pem, strlen(pem), &chain, NULL) != 0 || cert_info_read(chain.certs[0], &info) != 0)
                return false;

        if (info.names)
                strv_sort(info.names);
        good = strv_equal(info.names, names) && info.not_before_usec <= now_usec &&
                info.not_after_usec > usec_add(now_usec, FALLBACK_DAYS_LEAST * USEC_PER_DAY);
        cert_info_done(&info);
        return good;
}

static bool is_good(StoreView *v, apr_pool_t *p, const char *directory, char *const *names) {
        const char *pem = NULL, *why = NULL;
        _auto_secret_ Secret *key = NULL;

        return store_view_read_chain(v, p, STORE_VIEW_FALLBACK, directory, &fallback_key, &pem, &why) == STORE_VIEW_DONE &&
                store_view_read_key(v, p, STORE_VIEW_FALLBACK, directory, &fallback_key, &key, &why) == STORE_VIEW_DONE &&
                certificate_is_good(pem, names) && pair_is_usable(p, pem, key, NULL, &why);
}

static int make(StoreView *v, apr_pool_t *p, const char *directory, char *const *names, const char **ret_why) {
        uint64_t now_usec = clock_now_usec();
        _auto_problem_ Problem *problem = NULL;
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_secret_ Secret *key_pem = NULL;
        _auto_free_ char *cert_pem = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;

        if (key_make(&fallback_key, &key, &problem) != 0 || key_to_pem(key, &key_pem) != 0)
                return failed(p, problem, ret_why);
        /* From a day ago, for visitors whose clocks are late. */
        if (cert_make_self_signed(key, FALLBACK_COMMON_NAME, names, usec_sub(now_usec, USEC_PER_DAY),
                                  usec_add(now_usec, FALLBACK_DAYS * USEC_PER_DAY), &chain.certs[0]) != 0)
                return failed(p, NULL, ret_why);
        chain.n = 1;
        if (cert_chain_to_pem(&chain, &cert_pem) != 0)
                return failed(p, NULL, ret_why);

        return store_view_write_fallback(v, p, directory, &fallback_key, key_pem, cert_pem, ret_why);
}

int fallback_ensure(StoreView *v, apr_pool_t *p, const ManagedDomain *d, StoreViewPair *ret, const char **ret_why) {
        const char *directory = directory_for(p, d);
        _auto_strv_ char **names = NULL;
        int r;

        if (names_for(d, &names) < 0)
                return failed(p, NULL, ret_why);

        if (!is_good(v, p, directory, names)) {
                r = make(v, p, directory, names, ret_why);
                if (r != 0)
                        return r;
        }
        return store_view_pair(v, p, STORE_VIEW_FALLBACK, directory, &fallback_key, ret);
}
