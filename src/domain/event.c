/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/event.h"

#include "base/clock.h"
#include "base/string-util.h"

static const struct {
        const char *name;
        bool hook, as_root, until_success, merged;
        uint64_t interval_usec;
} kinds[_EVENT_KIND_MAX] = {
        [EVENT_RENEWING] = { "renewing", .interval_usec = USEC_PER_HOUR },
        [EVENT_RENEWED] = { "renewed", .hook = true, .until_success = true, .interval_usec = USEC_PER_DAY },
        [EVENT_INSTALLED] = { "installed", .hook = true, .as_root = true, .interval_usec = USEC_PER_DAY },
        [EVENT_ERRORED] = { "errored", .hook = true, .merged = true, .interval_usec = USEC_PER_HOUR },
        [EVENT_EXPIRING] = { "expiring", .hook = true, .merged = true, .until_success = true, .interval_usec = USEC_PER_DAY },
        [EVENT_RELOAD_FAILED] = { "reload-failed", .hook = true, .merged = true, .interval_usec = USEC_PER_HOUR },
        [EVENT_RELOAD_PENDING] = { "reload-pending", .hook = true, .merged = true, .interval_usec = USEC_PER_DAY },
        [EVENT_SERVED_DIFFERS] = { "served-differs", .hook = true, .merged = true, .interval_usec = USEC_PER_HOUR },
        [EVENT_STORE_DAMAGED] = { "store-damaged", .hook = true, .merged = true, .interval_usec = USEC_PER_HOUR },
        [EVENT_RENEWAL_INFO] = { "renewal-info", .hook = true, .merged = true },
        [EVENT_ROLLED_BACK] = { "rolled-back", .hook = true },
        [EVENT_TARGET_FAILED] = { "target-failed", .hook = true, .merged = true, .interval_usec = USEC_PER_HOUR },
        [EVENT_RATE_LIMITED] = { "rate-limited", .hook = true, .merged = true, .interval_usec = USEC_PER_HOUR },
        [EVENT_REVOKED] = { "revoked", .hook = true, .merged = true },
        [EVENT_CONFIGURATION_REFUSED] = { "configuration-refused", .hook = true, .merged = true, .interval_usec = USEC_PER_HOUR },
        [EVENT_STALLED] = { "stalled", .hook = true, .merged = true, .interval_usec = USEC_PER_DAY },
        [EVENT_CHALLENGE_SETUP] = { "challenge-setup" },
        [EVENT_CHALLENGE_TEARDOWN] = { "challenge-teardown" },
        [EVENT_OCSP_RENEWED] = { "ocsp-renewed", .hook = true, .interval_usec = USEC_PER_DAY },
        [EVENT_OCSP_ERRORED] = { "ocsp-errored", .hook = true, .merged = true, .interval_usec = USEC_PER_HOUR },
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

bool event_kind_concerns_other(EventKind kind) {
        return kind == EVENT_OCSP_RENEWED || kind == EVENT_OCSP_ERRORED || kind == EVENT_REVOKED;
}

bool event_kind_runs_as_root(EventKind kind) {
        return is_kind(kind) && kinds[kind].as_root;
}

bool event_kind_is_repeated(EventKind kind) {
        return is_kind(kind) && kinds[kind].until_success;
}

bool event_kind_is_merged(EventKind kind) {
        return is_kind(kind) && kinds[kind].merged;
}

uint64_t event_kind_interval_usec(EventKind kind) {
        return is_kind(kind) ? kinds[kind].interval_usec : 0;
}
