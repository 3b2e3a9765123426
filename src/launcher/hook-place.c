/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/hook-place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/random.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "bus/unit-name.h"
#include "launcher/hook-number.h"

/* Only systemd knows which ones run: an earlier launcher may have started them. It answers in the order of our questions, and those that it was asked to start
 * since are among our requests. */

#define CHALLENGE_SETUP_PREFIX UNIT_HOOK_PREFIX "challenge-setup-"
#define CHALLENGE_TEARDOWN_PREFIX UNIT_HOOK_PREFIX "challenge-teardown-"
#define RENEWING_PREFIX UNIT_HOOK_PREFIX "renewing-"

typedef enum PlaceKind { PLACE_TOLD, PLACE_CHALLENGE, PLACE_RENEWING } PlaceKind;

static PlaceKind kind_of(const char *unit) {
        if (str_has_prefix(unit, CHALLENGE_SETUP_PREFIX) || str_has_prefix(unit, CHALLENGE_TEARDOWN_PREFIX))
                return PLACE_CHALLENGE;
        return str_has_prefix(unit, RENEWING_PREFIX) ? PLACE_RENEWING : PLACE_TOLD;
}

/* Setting up and tearing down is one thing after the other. */
static const char *without_verb(const char *unit) {
        const char *rest = str_after_prefix(unit, CHALLENGE_SETUP_PREFIX);

        if (!rest)
                rest = str_after_prefix(unit, CHALLENGE_TEARDOWN_PREFIX);
        return rest ? rest : unit;
}

/* Whether both are for one event of one domain: all but the number at the end is the same. */
static bool is_same_hook(const char *a, const char *b) {
        const char *end;

        a = without_verb(a);
        b = without_verb(b);
        end = strrchr(a, '-');
        return end && strncmp(a, b, (size_t) (end - a) + 1) == 0 && !strchr(b + (end - a) + 1, '-');
}

static int note_running(const Request *q, const char *unit, Map *running) {
        int r;

        if (kind_of(unit) != kind_of(q->unit))
                return 0;
        r = map_put(running, unit, running);
        return r == -EEXIST ? 0 : r;
}

static int read_running(sd_bus_message *m, const Request *q, Map *running) {
        const char *unit;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(ssssssouso)", &unit, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) > 0) {
                r = note_running(q, unit, running);
                if (r < 0)
                        return r;
        }
        for (const Request *other = q->launcher->requests; other && r >= 0; other = other->next)
                if (other->started)
                        r = note_running(q, other->unit, running);
        return r;
}

static bool is_free(const Request *q, Map *running) {
        const char *unit;
        void *value;

        if (map_size(running) >= HOOKS_MAX)
                return false;
        MAP_FOREACH(running, unit, value)
                if (is_same_hook(q->unit, unit))
                        return false;
        return true;
}

static int on_running(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _auto_map_ Map *running = map_new();
        Request *q = userdata;
        int r;

        if (sd_bus_message_is_method_error(m, NULL)) {
                request_fail(q, sd_bus_message_get_error(m));
                return 0;
        }
        r = running ? read_running(m, q, running) : -ENOMEM;
        if (r >= 0 && !is_free(q, running)) {
                request_fail_with(q, BUS_ERROR_BUSY, "A hook for this event and domain is running, or %d others are.", HOOKS_MAX);
                return 0;
        }
        q->slot = sd_bus_slot_unref(q->slot);
        if (r >= 0)
                r = q->begin(q);
        if (r < 0)
                request_fail_errno(q, r);
        else
                q->started = true;
        return 0;
}

/* What has ended and is only kept to be asked is in none of these states. */
int hook_place_ask(Request *q, int (*begin)(Request *q)) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        assert(q);
        assert(begin);

        q->begin = begin;
        r = sd_bus_message_new_method_call(q->launcher->bus, &m, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "ListUnitsByPatterns");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "asas", 4, "activating", "active", "reloading", "deactivating", 1, UNIT_HOOK_PREFIX "*.service");
        if (r < 0)
                return r;
        return sd_bus_call_async(q->launcher->bus, &q->slot, m, on_running, q, 0);
}

uint64_t hook_next_number(Launcher *l) {
        l->hook_number = hook_number_next(l->hook_number, clock_now_usec(), random_number());
        return l->hook_number;
}
