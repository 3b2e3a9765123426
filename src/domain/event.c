/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/event.h"

#include "base/string-util.h"

static const struct {
        const char *name;
        bool hook, as_root;
} kinds[_EVENT_KIND_MAX] = {
        [EVENT_RENEWING] = { "renewing" },
        [EVENT_RENEWED] = { "renewed", .hook = true },
        [EVENT_INSTALLED] = { "installed", .hook = true, .as_root = true },
        [EVENT_ERRORED] = { "errored", .hook = true },
        [EVENT_EXPIRING] = { "expiring", .hook = true },
        [EVENT_RELOAD_FAILED] = { "reload-failed", .hook = true },
        [EVENT_RELOAD_PENDING] = { "reload-pending", .hook = true },
        [EVENT_SERVED_DIFFERS] = { "served-differs", .hook = true },
        [EVENT_STORE_DAMAGED] = { "store-damaged", .hook = true },
        [EVENT_RENEWAL_INFO] = { "renewal-info", .hook = true },
        [EVENT_CHALLENGE_SETUP] = { "challenge-setup" },
        [EVENT_CHALLENGE_TEARDOWN] = { "challenge-teardown" },
        [EVENT_OCSP_RENEWED] = { "ocsp-renewed" },
        [EVENT_OCSP_ERRORED] = { "ocsp-errored" },
};

static bool is_kind(EventKind kind) {
        return (size_t) kind < ELEMENTSOF(kinds);
}

const char *event_kind_to_string(EventKind kind) {
        return is_kind(kind) ? kinds[kind].name : NULL;
}

bool event_kind_from_string(const char *name, EventKind *ret) {
        assert(ret);

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (str_equal(kinds[i].name, name)) {
                        *ret = (EventKind) i;
                        return true;
                }
        return false;
}

bool event_kind_has_hook(EventKind kind) {
        return is_kind(kind) && kinds[kind].hook;
}

bool event_kind_runs_as_root(EventKind kind) {
        return is_kind(kind) && kinds[kind].as_root;
}
