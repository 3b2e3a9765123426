/* SPDX-License-Identifier: Apache-2.0 */
#include "targets/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "bus/unit.h"

/* Longer than systemd lets a unit take by default. */
#define RELOAD_TIMEOUT_USEC (3 * USEC_PER_MINUTE)

typedef struct Unit {
        const char *name; /* borrowed from a target */
        size_t *running;
        bool restart;
        UnitCall *call;
        char *failure; /* NULL: it went well */
} Unit;

static void unit_release(void *value) {
        Unit *u = value;

        unit_call_free(u->call);
        free(u->failure);
        free(u);
}

static Map *release_units(Map *units) {
        return map_free_with(units, unit_release);
}
DEFINE_CLEANUP(Map *, release_units)

static void on_end(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata) {
        Unit *u = userdata;

        if (!result)
                u->failure = str_printf("%s", error && error->message ? error->message : "systemd refused it");
        else if (!str_equal(result, "done") && !str_equal(result, "skipped"))
                u->failure = str_printf("systemd's job ended with '%s' (journalctl -u %s)", result, u->name);
        u->call = unit_call_free(u->call);
        (*u->running)--;
}

/* Neither starts a unit that does not run: it will read the new files when it is started. */
static int start(sd_bus *bus, const char *name, Unit *u) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, u->restart ? "TryRestartUnit" : "ReloadOrTryRestartUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", name, "replace");
        if (r >= 0)
                r = unit_call_send(bus, m, name, RELOAD_TIMEOUT_USEC, on_end, u, &u->call);
        if (r >= 0)
                (*u->running)++;
        return r;
}

/* One that is restarted need not be reloaded. */
static int collect(Map *units, char *const *names, bool restart, size_t *running) {
        STRV_FOREACH(name, names) {
                Unit *u = map_get(units, *name);

                if (!u) {
                        u = calloc(1, sizeof(*u));
                        if (!u || map_put(units, *name, u) < 0) {
                                free(u);
                                return -ENOMEM;
                        }
                        u->name = *name;
                        u->running = running;
                }
                u->restart = u->restart || restart;
        }
        return 0;
}

static int collect_all(Map *units, const TargetOutcome *outcomes, size_t n, size_t *running) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++) {
                if (!outcomes[i].reload)
                        continue;
                r = collect(units, outcomes[i].target->reload, false, running);
                if (r == 0)
                        r = collect(units, outcomes[i].target->restart, true, running);
        }
        return r;
}

static int run(sd_bus *bus, Map *units, const size_t *running) {
        const char *name;
        Unit *u;
        int r = 0;

        MAP_FOREACH(units, name, u)
                if (r >= 0)
                        r = start(bus, name, u);
        while (r >= 0 && *running > 0)
                r = sd_event_run(sd_bus_get_event(bus), UINT64_MAX);
        return r;
}

static char *find_failure(const Map *units, char *const *names, const char *what) {
        STRV_FOREACH(name, names) {
                const Unit *u = map_get(units, *name);

                if (u && u->failure)
                        return str_printf("The files are written, but %s could not be %s: %s", *name, what, u->failure);
        }
        return NULL;
}

static void judge(const Map *units, TargetOutcome *o, int pending_fd) {
        char *failure = find_failure(units, o->target->reload, "reloaded");

        if (!failure)
                failure = find_failure(units, o->target->restart, "restarted");
        if (!failure) {
                target_reloaded(o->target, pending_fd);
                return;
        }
        free(o->detail);
        o->detail = failure;
        o->state = TARGET_STATE_FAILED;
}

int reload_units(sd_bus *bus, TargetOutcome *outcomes, size_t n, int pending_fd) {
        size_t running = 0;
        _cleanup_(release_unitsp) Map *units = map_new();
        int r;

        if (!units)
                return -ENOMEM;
        r = collect_all(units, outcomes, n, &running);
        if (r == 0)
                r = run(bus, units, &running);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                if (outcomes[i].reload)
                        judge(units, &outcomes[i], pending_fd);
        return 0;
}
