/* SPDX-License-Identifier: Apache-2.0 */
#include "renamed.h"

#include "apr_hash.h"

#include "domain/rename.h"
#include "store-view.h"

/* What the store has and this configuration does not. It may belong to another server: what is served then is a certificate for other names, as bad as a
 * fallback, and gone with the next configuration. */
typedef struct Renamed {
        RenameCandidate *candidates;
        size_t n;
} Renamed;

static Renamed *look(const Configuration *c) {
        const Domains *domains = c->domains;
        apr_hash_t *known = apr_hash_make(domains->pool);
        Renamed *renamed = apr_pcalloc(domains->pool, sizeof(*renamed));
        const apr_array_header_t *others;

        for (int i = 0; i < domains->all->nelts; i++)
                apr_hash_set(known, APR_ARRAY_IDX(domains->all, i, const ManagedDomain *)->name, APR_HASH_KEY_STRING, "");
        others = store_view_other_domains(domains->store, domains->pool, known);

        renamed->candidates = apr_pcalloc(domains->pool, (apr_size_t) (others->nelts + 1) * sizeof(*renamed->candidates));
        for (int i = 0; i < others->nelts; i++) {
                const StoreViewDomain *other = &APR_ARRAY_IDX(others, i, const StoreViewDomain);

                renamed->candidates[renamed->n++] = (RenameCandidate){ other->name, other->names };
        }
        return renamed;
}

const char *renamed_from(const Configuration *c, const ManagedDomain *d) {
        Domains *domains = c->domains;
        size_t found;

        if (store_view_has_domain(domains->store, d->name))
                return NULL;
        if (!domains->renamed)
                domains->renamed = look(c);
        if (rename_choose(d->names, domains->renamed->candidates, domains->renamed->n, &found) != RENAME_FOUND)
                return NULL;
        return domains->renamed->candidates[found].name;
}
