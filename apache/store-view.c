/* SPDX-License-Identifier: Apache-2.0 */
#include "store-view.h"

#include <errno.h>
#include <unistd.h>

#include "apr_strings.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "store/challenge.h"
#include "store/domain.h"
#include "store/fallback.h"
#include "store/lock.h"
#include "store/snapshot.h"
#include "store/store.h"

struct StoreView {
        Store *store;
        int lock_fd;                            /* -1: not locked */
        int set_fds[STORE_VIEW_FALLBACK + 1]; /* -1: not open */
};

static const char *const set_directories[] = {
        [STORE_VIEW_LIVE] = STORE_DOMAINS,
        [STORE_VIEW_RESERVE] = STORE_RESERVE,
        [STORE_VIEW_FALLBACK] = STORE_FALLBACK,
};

static void close_sets(StoreView *v) {
        for (size_t i = 0; i < ELEMENTSOF(v->set_fds); i++) {
                if (v->set_fds[i] >= 0)
                        (void) close(v->set_fds[i]);
                v->set_fds[i] = -1;
        }
}

static int failed(apr_pool_t *p, int r, const char *what, const char **ret_why) {
        const char *why = r < 0 ? strerrordesc_np(-r) : "something else stands in its place";

        *ret_why = apr_psprintf(p, "%s: %s", what, str_or(why, "unknown error"));
        return STORE_VIEW_E_FAILED;
}

static int failed_with(apr_pool_t *p, const Problem *problem, int r, const char *what, const char **ret_why) {
        if (!problem)
                return failed(p, r, what, ret_why);
        *ret_why = apr_pstrdup(p, problem->detail);
        return STORE_VIEW_E_FAILED;
}

/* Opening, closing, locking */

static apr_status_t close_view(void *data) {
        StoreView *v = data;

        close_sets(v);
        store_view_unlock(v);
        v->store = store_close(v->store);
        return APR_SUCCESS;
}

static int open_view(apr_pool_t *p, const char *path, StoreRole role, StoreView **ret, const char **ret_why) {
        _auto_problem_ Problem *problem = NULL;
        StoreView *v = apr_pcalloc(p, sizeof(*v));
        int r;

        v->lock_fd = -1;
        for (size_t i = 0; i < ELEMENTSOF(v->set_fds); i++)
                v->set_fds[i] = -1;
        r = store_open(path, role, &v->store, &problem);
        if (r != 0)
                return failed_with(p, problem, r, path, ret_why);

        apr_pool_cleanup_register(p, v, close_view, close_view);
        *ret = v;
        return STORE_VIEW_DONE;
}

int store_view_open_for_server(apr_pool_t *p, const char *path, StoreView **ret, const char **ret_why) {
        return open_view(p, path, STORE_ROLE_SERVER, ret, ret_why);
}

int store_view_open_for_child(apr_pool_t *p, const char *path, StoreView **ret, const char **ret_why) {
        return open_view(p, path, STORE_ROLE_CHILD, ret, ret_why);
}

static apr_status_t unlock_view(void *data) {
        store_view_unlock(data);
        return APR_SUCCESS;
}

int store_view_lock(StoreView *v, apr_pool_t *p, const char **ret_why) {
        int r;

        if (v->lock_fd >= 0)
                return STORE_VIEW_DONE;

        r = store_lock_shared(v->store, &v->lock_fd);
        if (r == STORE_LOCK_E_BUSY) {
                *ret_why = "new certificates are being put in place";
                return STORE_VIEW_E_FAILED;
        }
        if (r != 0)
                return failed(p, r, "the lock of the store", ret_why);

        apr_pool_cleanup_register(p, v, unlock_view, unlock_view);
        return STORE_VIEW_DONE;
}

void store_view_unlock(StoreView *v) {
        if (v->lock_fd >= 0)
                (void) close(v->lock_fd);
        v->lock_fd = -1;
}

/* Domains */

bool store_view_has_domain(StoreView *v, const char *name) {
        return store_domain_exists(v->store, STORE_SET_LIVE, name);
}

static apr_status_t free_domain(void *data) {
        (void) managed_domain_free(data);
        return APR_SUCCESS;
}

apr_array_header_t *store_view_other_domains(StoreView *v, apr_pool_t *p, apr_hash_t *known) {
        apr_array_header_t *others = apr_array_make(p, 4, sizeof(StoreViewDomain));
        _auto_strv_ char **names = NULL;

        if (store_domain_list(v->store, STORE_SET_LIVE, &names) != 0)
                return others;
        STRV_FOREACH(name, names) {
                ManagedDomain *d = NULL;

                if (apr_hash_get(known, *name, APR_HASH_KEY_STRING) || store_domain_read_md(v->store, STORE_SET_LIVE, *name, &d, NULL) != 0)
                        continue;
                apr_pool_cleanup_register(p, d, free_domain, apr_pool_cleanup_null);
                APR_ARRAY_PUSH(others, StoreViewDomain) = (StoreViewDomain){ d->name, d->names };
        }
        return others;
}

/* Certificates and keys */

bool store_view_name_is_valid(const char *name) {
        return store_name_is_valid(name);
}

int store_view_pair(StoreView *v, apr_pool_t *p, StoreViewSet set, const char *name, const KeySpec *spec, StoreViewPair *ret) {
        _auto_free_ char *key = NULL, *cert = NULL;
        int r;

        if (set == STORE_VIEW_LIVE)
                r = store_live_paths(v->store, name, spec, &key, &cert);
        else if (set == STORE_VIEW_RESERVE)
                r = store_reserve_paths(v->store, name, spec, &key, &cert);
        else
                r = store_fallback_paths(v->store, name, spec, &key, &cert);
        if (r != 0)
                return STORE_VIEW_E_NOT_FOUND;

        ret->cert_file = apr_pstrdup(p, cert);
        ret->key_file = apr_pstrdup(p, key);
        return STORE_VIEW_DONE;
}

/* The way to a set is walked once, however many pairs are read. */
static int open_set(StoreView *v, StoreViewSet set, int *ret_fd) {
        int r = 0;

        if (v->set_fds[set] < 0)
                r = store_open_dir(v->store, set_directories[set], &v->set_fds[set]);
        *ret_fd = v->set_fds[set];
        return r;
}

static int read_chain(int dir_fd, apr_pool_t *p, const char *file, const char **ret_chain, const char **ret_why) {
        _auto_free_ char *chain = NULL;
        size_t size = 0;
        int r;

        r = file_read_at(dir_fd, file, STORE_CERT_MAX, &chain, &size);
        if (r == FILE_E_NOT_FOUND)
                return STORE_VIEW_E_NOT_FOUND;
        if (r < 0)
                return failed(p, r, "the certificate cannot be read", ret_why);
        if (r != 0 || size == 0 || strlen(chain) != size) {
                *ret_why = "the certificate is no readable file of text";
                return STORE_VIEW_E_FAILED;
        }
        *ret_chain = apr_pstrmemdup(p, chain, size);
        return STORE_VIEW_DONE;
}

static int read_key(int dir_fd, apr_pool_t *p, const char *file, Secret **ret, const char **ret_why) {
        char *key = NULL;
        size_t size = 0;
        int r;

        r = file_read_at(dir_fd, file, STORE_KEY_MAX, &key, &size);
        if (r == FILE_E_NOT_FOUND) {
                *ret_why = "its private key is missing";
                return STORE_VIEW_E_FAILED;
        }
        if (r != 0)
                return failed(p, r, "the private key cannot be read", ret_why);

        *ret = size > 0 ? secret_new(key, size) : NULL;
        secret_wipe(key, size);
        free(key);
        return *ret ? STORE_VIEW_DONE : failed(p, size > 0 ? -ENOMEM : FILE_E_NOT_REGULAR, "the private key cannot be read", ret_why);
}

int store_view_read_pair(StoreView *v, apr_pool_t *p, StoreViewSet set, const char *name, const KeySpec *spec, const char **ret_chain, Secret **ret_key,
                         const char **ret_why) {
        const bool fallback = set == STORE_VIEW_FALLBACK;
        char cert_file[KEY_SPEC_FILE_MAX], key_file[KEY_SPEC_FILE_MAX];
        _auto_close_ int dir_fd = -1;
        int r, set_fd;

        if (!store_name_is_valid(name))
                return STORE_VIEW_E_NOT_FOUND;
        r = open_set(v, set, &set_fd);
        if (r == 0)
                r = dir_open_at(set_fd, name, &dir_fd);
        if (r > 0)
                return STORE_VIEW_E_NOT_FOUND;
        if (r < 0)
                return failed(p, r, "the certificate cannot be read", ret_why);

        r = read_chain(dir_fd, p, key_spec_file(spec, fallback ? STORE_STEM_FALLBACK_CERT : STORE_STEM_CERT, cert_file), ret_chain, ret_why);
        if (r != STORE_VIEW_DONE)
                return r;
        return read_key(dir_fd, p, key_spec_file(spec, fallback ? STORE_STEM_FALLBACK_KEY : STORE_STEM_KEY, key_file), ret_key, ret_why);
}

int store_view_write_fallback(StoreView *v, apr_pool_t *p, const char *name, const KeySpec *spec, const Secret *key_pem,
                              const char *cert_pem, const char **ret_why) {
        _auto_problem_ Problem *problem = NULL;
        int r;

        r = store_fallback_write(v->store, name, spec, key_pem, cert_pem);
        if (r == 0)
                return STORE_VIEW_DONE;

        (void) store_check(v->store, &problem);
        return failed_with(p, problem, r, "the fallback certificate cannot be written", ret_why);
}

void store_view_prune_fallbacks(StoreView *v, uint64_t before_usec) {
        (void) store_fallback_prune(v->store, before_usec);
}

/* Challenges */

int store_view_read_challenge(StoreView *v, apr_pool_t *p, const char *name, const char *token, const char **ret_answer) {
        _auto_free_ char *answer = NULL;

        if (!store_challenge_token_is_valid(token) || store_challenge_read(v->store, name, token, &answer) != 0)
                return STORE_VIEW_E_NOT_FOUND;

        *ret_answer = apr_pstrdup(p, answer);
        return STORE_VIEW_DONE;
}

int store_view_stat_challenges(StoreView *v, apr_pool_t *p, const char **ret_path, struct stat *ret) {
        _auto_close_ int fd = -1;

        if (store_open_dir(v->store, STORE_CHALLENGES, &fd) != 0 || fstat(fd, ret) < 0)
                return STORE_VIEW_E_NOT_FOUND;
        *ret_path = apr_pstrcat(p, store_path(v->store), "/" STORE_CHALLENGES, NULL);
        return STORE_VIEW_DONE;
}

static apr_status_t free_secret(void *data) {
        (void) secret_free(data);
        return APR_SUCCESS;
}

static int read_alpn_file(int dir_fd, const KeySpec *spec, const char *stem, size_t max, char **ret, size_t *ret_size) {
        char file[KEY_SPEC_FILE_MAX];

        return file_read_at(dir_fd, key_spec_file(spec, stem, file), max, ret, ret_size);
}

int store_view_read_alpn(StoreView *v, apr_pool_t *p, const char *name, const KeySpec *spec, StoreViewAnswer *ret) {
        _auto_close_ int all_fd = -1, dir_fd = -1;
        _auto_free_ char *cert = NULL, *key = NULL;
        size_t size = 0;
        Secret *secret;

        if (!store_name_is_valid(name) || store_open_dir(v->store, STORE_CHALLENGES, &all_fd) != 0 ||
            dir_open_at(all_fd, name, &dir_fd) != 0)
                return STORE_VIEW_E_NOT_FOUND;
        if (read_alpn_file(dir_fd, spec, "acme-tls-alpn-01-pubcert", STORE_CERT_MAX, &cert, NULL) != 0 ||
            read_alpn_file(dir_fd, spec, "acme-tls-alpn-01-privkey", STORE_KEY_MAX, &key, &size) != 0)
                return STORE_VIEW_E_NOT_FOUND;

        secret = secret_new(key, size);
        secret_wipe(key, size);
        if (!secret)
                return STORE_VIEW_E_NOT_FOUND;
        apr_pool_cleanup_register(p, secret, free_secret, free_secret);

        ret->cert_pem = apr_pstrdup(p, cert);
        ret->key_pem = secret;
        return STORE_VIEW_DONE;
}

/* Stapling */

int store_view_read_staple(StoreView *v, const char *name, const char *id, StoreOcspMark *mark, StoreStaple *ret) {
        int r = store_ocsp_read_staple(v->store, name, id, mark, ret);

        if (r == STORE_OCSP_UNCHANGED)
                return STORE_VIEW_UNCHANGED;
        return r == 0 ? STORE_VIEW_DONE : STORE_VIEW_E_NOT_FOUND;
}

int store_view_read_ocsp(StoreView *v, const char *name, const char *id, StoreStaple *ret) {
        return store_ocsp_read(v->store, name, id, ret) == 0 ? STORE_VIEW_DONE : STORE_VIEW_E_NOT_FOUND;
}

/* Status */

struct StoreViewStatus {
        int fd;
};

static apr_status_t close_status(void *data) {
        StoreViewStatus *s = data;

        (void) close(s->fd);
        s->fd = -1;
        return APR_SUCCESS;
}

int store_view_open_status(StoreView *v, apr_pool_t *p, StoreViewStatus **ret) {
        StoreViewStatus *s = apr_pcalloc(p, sizeof(*s));

        if (store_status_open(v->store, &s->fd) != 0)
                return STORE_VIEW_E_NOT_FOUND;

        apr_pool_cleanup_register(p, s, close_status, close_status);
        *ret = s;
        return STORE_VIEW_DONE;
}

int store_view_read_status(StoreViewStatus *s, apr_pool_t *p, const char *name, const char **ret_text, size_t *ret_size) {
        _auto_free_ char *text = NULL;
        size_t size;

        if (store_status_read_at(s->fd, name, &text, &size) != 0)
                return STORE_VIEW_E_NOT_FOUND;

        *ret_text = apr_pstrmemdup(p, text, size);
        *ret_size = size;
        return STORE_VIEW_DONE;
}

/* Snapshots */

int store_view_has_snapshot(StoreView *v, const char *id, bool *ret) {
        _auto_strv_ char **ids = NULL;

        if (store_snapshot_list(v->store, &ids) != 0)
                return STORE_VIEW_E_NOT_FOUND;
        *ret = strv_contains(ids, id);
        return STORE_VIEW_DONE;
}

int store_view_write_snapshot(StoreView *v, apr_pool_t *p, const Snapshot *snapshot, gid_t group, bool anew, const char **ret_why) {
        _auto_problem_ Problem *problem = NULL;
        int r;

        r = anew ? store_snapshot_write_anew(v->store, snapshot, group) : store_snapshot_write(v->store, snapshot, group);
        if (r == STORE_SNAPSHOT_DONE)
                return STORE_VIEW_DONE;
        if (r == STORE_SNAPSHOT_UNCHANGED)
                return STORE_VIEW_UNCHANGED;

        (void) store_check(v->store, &problem);
        return failed_with(p, problem, r, "the snapshot cannot be written", ret_why);
}
