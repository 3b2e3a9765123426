/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The store as the module uses it: the one place where pools and store/ meet. Results live in the pool that was given; keys
 * live in a Secret. */

#include <sys/stat.h>

#include "apr_hash.h"
#include "apr_pools.h"
#include "apr_tables.h"

#include "base/key-spec.h"
#include "base/secret.h"
#include "domain/snapshot.h"
#include "store/ocsp.h"
#include "store/status.h"

typedef struct StoreView StoreView;

enum {
        STORE_VIEW_DONE,
        STORE_VIEW_E_NOT_FOUND,
        STORE_VIEW_E_FAILED,  /* *ret_why says what is wrong, for people */
        STORE_VIEW_UNCHANGED, /* snapshots: the same stands there already */
};

/* Root in the parent; closed with the pool. */
int store_view_open_for_server(apr_pool_t *p, const char *path, StoreView **ret, const char **ret_why);
/* The server's user in a child: challenges only. Several threads may use it. */
int store_view_open_for_child(apr_pool_t *p, const char *path, StoreView **ret, const char **ret_why);

/* A domain in the store. */
typedef struct StoreViewDomain {
        const char *name;
        char *const *names;
} StoreViewDomain;

bool store_view_has_domain(StoreView *v, const char *name);
/* Of StoreViewDomain: those whose names are not keys of 'known'. What cannot be read is left out. */
apr_array_header_t *store_view_other_domains(StoreView *v, apr_pool_t *p, apr_hash_t *known);

/* Keeps live sets from being exchanged while they are looked at. Not to get the lock is no reason to stop. Released at the
 * latest with the pool. */
int store_view_lock(StoreView *v, apr_pool_t *p, const char **ret_why);
void store_view_unlock(StoreView *v);

typedef enum StoreViewSet {
        STORE_VIEW_LIVE,
        STORE_VIEW_RESERVE, /* the manager's copy of it: good when somebody deleted or tore the other */
        STORE_VIEW_FALLBACK,
} StoreViewSet;

typedef struct StoreViewPair {
        const char *cert_file, *key_file; /* absolute */
} StoreViewPair;

bool store_view_name_is_valid(const char *name);
int store_view_pair(StoreView *v, apr_pool_t *p, StoreViewSet set, const char *name, const KeySpec *spec, StoreViewPair *ret);
/* As text, not looked at. STORE_VIEW_E_NOT_FOUND: there is no certificate; one without key is STORE_VIEW_E_FAILED. */
int store_view_read_pair(StoreView *v, apr_pool_t *p, StoreViewSet set, const char *name, const KeySpec *spec, const char **ret_chain, Secret **ret_key,
                         const char **ret_why);
int store_view_write_fallback(StoreView *v, apr_pool_t *p, const char *name, const KeySpec *spec, const Secret *key_pem,
                              const char *cert_pem, const char **ret_why);
/* Those that were made before that time. One that cannot be removed now is the next time. */
void store_view_prune_fallbacks(StoreView *v, uint64_t before_usec);

/* Never fails louder than 'not found': the request is then somebody else's. */
int store_view_read_challenge(StoreView *v, apr_pool_t *p, const char *name, const char *token, const char **ret_answer);

/* The directory of challenges: where it is, and who may read it. */
int store_view_stat_challenges(StoreView *v, apr_pool_t *p, const char **ret_path, struct stat *ret);

/* An OCSP response, unless it is the one of *mark (store/ocsp.h): STORE_VIEW_UNCHANGED. The caller releases it. */
int store_view_read_staple(StoreView *v, const char *name, const char *id, StoreOcspMark *mark, StoreStaple *ret);

/* What the manager knows of the response and of asking for it. The caller releases it. */
int store_view_read_ocsp(StoreView *v, const char *name, const char *id, StoreStaple *ret);

typedef struct StoreViewAnswer {
        const char *cert_pem;
        const Secret *key_pem;
} StoreViewAnswer;

/* The same for tls-alpn-01; the key, which proves nothing once the challenge is over, is wiped with the pool. */
int store_view_read_alpn(StoreView *v, apr_pool_t *p, const char *name, const KeySpec *spec, StoreViewAnswer *ret);

/* What the manager wrote for the status pages: one whole JSON object as text for each name that is found; 'name' NULL: of the manager itself. */
#define STORE_VIEW_STATUS_LOG STORE_STATUS_LOG
typedef struct StoreViewStatus StoreViewStatus;
int store_view_open_status(StoreView *v, apr_pool_t *p, StoreViewStatus **ret);
int store_view_read_status(StoreViewStatus *s, apr_pool_t *p, const char *name, const char **ret_text, size_t *ret_size);

int store_view_has_snapshot(StoreView *v, const char *id, bool *ret);
int store_view_write_snapshot(StoreView *v, apr_pool_t *p, const Snapshot *snapshot, gid_t group, bool anew, const char **ret_why);
