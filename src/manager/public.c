/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/public.h"

#include <errno.h>

#include "base/log.h"
#include "base/string-util.h"
#include "store/public.h"

void public_update(const Domain *d) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);

                r = store_public_update(d->manager->store, DOMAIN_NAME(d), &spec);
        }
        if (r < 0)
                (void) log_failure(r, "%s: Cannot copy its chains to %s/" STORE_PUBLIC ": %m", DOMAIN_NAME(d), store_path(d->manager->store));
}

static void remove_name(Manager *m, const char *name) {
        int r = store_public_remove(m->store, name);

        if (r < 0)
                (void) log_failure(r, "%s: Cannot remove the copies of its chains: %m", name);
}

void public_remove(const Domain *d) {
        remove_name(d->manager, DOMAIN_NAME(d));
}

void public_prune(Manager *m) {
        _auto_strv_ char **names = NULL;

        if (store_public_list(m->store, &names) != 0)
                return;
        STRV_FOREACH(name, names)
                if (!manager_find_domain(m, *name))
                        remove_name(m, *name);
}
