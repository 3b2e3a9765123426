/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd.h"

#include "takeover.h"

#include <sys/stat.h>

#include "apr_strings.h"
#include "http_config.h"
#include "http_log.h"

#include "domains.h"

/* Below ServerRoot, when no MDStoreDir says another. */
#define DEFAULT_STORE "md"

static bool exists(const char *path) {
        struct stat st;

        return path && stat(path, &st) == 0;
}

bool takeover_is_store(apr_pool_t *p, const char *path) {
        return exists(apr_pstrcat(p, path, "/md_store.json", NULL));
}

/* Somebody without the rights to look finds nothing in either: then nothing is said. */
static bool is_left_behind(apr_pool_t *p, const char *old, const char *store, const char *name) {
        return exists(apr_pstrcat(p, old, "/domains/", name, "/md.json", NULL)) && exists(apr_pstrcat(p, store, "/domains", NULL)) &&
                !exists(apr_pstrcat(p, store, "/domains/", name, NULL));
}

void takeover_warn(const Configuration *c, const char *store, apr_pool_t *p) {
        const char *old = ap_server_root_relative(p, DEFAULT_STORE), *first = NULL;
        int n = 0;

        if (!old || !takeover_is_store(p, old))
                return;
        for (int i = 0; i < c->domains->all->nelts; i++) {
                const char *name = APR_ARRAY_IDX(c->domains->all, i, const ManagedDomain *)->name;

                if (!is_left_behind(p, old, store, name))
                        continue;
                first = first ? first : name;
                n++;
        }
        if (n > 0)
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, c->base,
                             "%d of the managed domains (%s%s) are in the store of mod_md, %s, and not in that of md-manager: new certificates will be ordered. "
                             "'mdctl import %s' takes over what is there; see md-manager-migration(7).",
                             n, first, n > 1 ? ", ..." : "", old, old);
}
