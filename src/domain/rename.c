/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/rename.h"

#include <errno.h>

#include "base/map.h"
#include "base/strv.h"

static int index_names(char *const *names, Map **ret) {
        _auto_map_ Map *index = map_new();

        if (!index)
                return -ENOMEM;
        STRV_FOREACH(name, names) {
                int r = map_put(index, *name, index);

                if (r < 0 && r != -EEXIST)
                        return r;
        }
        *ret = take_ptr(index);
        return 0;
}

static size_t count_shared(const Map *wanted, char *const *names) {
        size_t shared = 0;

        STRV_FOREACH(name, names)
                if (map_get(wanted, *name))
                        shared++;
        return shared;
}

int rename_choose(char *const *names, const RenameCandidate *candidates, size_t n, size_t *ret) {
        _auto_map_ Map *wanted = NULL;
        size_t most = 0;
        int r;

        assert(ret);

        r = index_names(names, &wanted);
        if (r < 0)
                return r;

        /* Who has all of them has the most: no other one can have more, so that both rules are one. */
        for (size_t i = 0; i < n; i++) {
                size_t shared = count_shared(wanted, candidates[i].names);

                if (shared > most) {
                        most = shared;
                        *ret = i;
                }
        }
        return most > 0 ? RENAME_FOUND : RENAME_E_NONE;
}
