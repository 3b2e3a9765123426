/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/reload-unit.h"

#include "base/string-util.h"
#include "base/strv.h"

bool reload_is_by_hand(const Manager *m) {
        return strv_contains(m->settings.reload_units, "none");
}

const char *reload_unit_of(const Manager *m, const Snapshot *server, size_t i) {
        char *const *units = m->settings.reload_units;
        const char *own = str_is_empty(server->unit) ? NULL : server->unit;

        if (reload_is_by_hand(m))
                return NULL;
        if (!units || strv_contains(units, own))
                return i == 0 ? own : NULL;
        return i < strv_length(units) ? units[i] : NULL;
}
