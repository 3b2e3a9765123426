/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/reload-wait.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/agent.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

/* The least interval between two reloads may have to pass first. */
#define PATIENCE_USEC (3 * USEC_PER_MINUTE)

void reload_wait_done(ReloadWait *w) {
        (void) json_object_put(w->before);
        (void) json_object_put(w->units);
        free(w->trouble);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        ReloadWait *w = userdata;

        w->changed = true;
        return 0;
}

static int subscribe(ReloadWait *w) {
        int r = client_connect(w->mdctl);

        if (r != MDCTL_DONE)
                return r;
        r = sd_bus_add_match(w->mdctl->bus, NULL, "type='signal',sender='" BUS_NAME "'", on_signal, w);
        if (r >= 0)
                return MDCTL_DONE;
        fprintf(stderr, "Cannot subscribe to signals: %s\n", strerror(-r));
        return MDCTL_FAILED;
}

static int fetch(Mdctl *c, const char *property, JsonObject **ret) {
        _auto_json_ JsonObject *manager = NULL;
        int r = client_get_all(c, BUS_PATH, BUS_INTERFACE_MANAGER, &manager);

        if (r == MDCTL_DONE)
                *ret = json_object_get(json_get_array(manager, property));
        return r;
}

static int ask(ReloadWait *w) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        agent_open(w->mdctl);
        r = client_call(w->mdctl, (ClientMethod){ BUS_PATH, BUS_INTERFACE_MANAGER, "Reload" }, &error, &reply, "s", str_or(w->unit, ""));
        agent_close();
        if (r < 0 && sd_bus_error_has_name(&error, BUS_ERROR_NOTHING_TO_DO))
                return MDCTL_NOTHING_TO_DO;
        if (r < 0)
                return client_tell(&error, w->unit);
        r = bus_json_read(reply, &w->units);
        return r < 0 ? client_tell_answer(r) : MDCTL_DONE;
}

/* A member of the structure of this unit; NULL: it has none. */
static JsonObject *find(JsonObject *list, const char *unit, size_t i) {
        for (size_t k = 0; list && k < json_object_array_length(list); k++) {
                JsonObject *entry = json_object_array_get_idx(list, k);

                if (str_equal(json_object_get_string(json_object_array_get_idx(entry, 0)), unit))
                        return json_object_array_get_idx(entry, i);
        }
        return NULL;
}

static uint64_t count(JsonObject *list, const char *unit, size_t i) {
        JsonObject *o = find(list, unit, i);

        return o ? json_object_get_uint64(o) : 0;
}

/* -EAGAIN: one is under way, or has not proven itself yet; else an exit code. */
static int look_for_earlier(ReloadWait *w) {
        _auto_json_ JsonObject *reloads = NULL;
        int r = fetch(w->mdctl, "Reloads", &reloads);

        for (size_t i = 0; r == MDCTL_DONE && i < json_object_array_length(reloads); i++) {
                JsonObject *entry = json_object_array_get_idx(reloads, i);
                const char *unit = json_object_get_string(json_object_array_get_idx(entry, 0)), *state = json_object_get_string(json_object_array_get_idx(entry, 1));

                if ((!w->unit || str_equal(w->unit, unit)) && (str_equal(state, "running") || str_equal(state, "proving")))
                        return -EAGAIN;
        }
        return r;
}

static int tell_bus(int r) {
        fprintf(stderr, "The system bus went away: %s\n", strerror(-r));
        return MDCTL_FAILED;
}

static int wait_for_earlier(ReloadWait *w) {
        uint64_t until = clock_monotonic_usec() + PATIENCE_USEC;
        int r;

        do {
                w->changed = false;
                r = look_for_earlier(w);
                if (r != -EAGAIN)
                        return r;
                r = client_run_until_time(w->mdctl, &w->changed, usec_sub(until, clock_monotonic_usec()));
                if (r < 0)
                        return tell_bus(r);
        } while (w->changed);
        return MDCTL_DONE; /* it may be stuck: what is asked for comes after it */
}

int reload_wait_begin(ReloadWait *w) {
        int r = subscribe(w);

        if (r == MDCTL_DONE && !w->mdctl->no_wait)
                r = wait_for_earlier(w);
        if (r == MDCTL_DONE)
                r = fetch(w->mdctl, "ReloadCounts", &w->before);
        return r == MDCTL_DONE ? ask(w) : r;
}

static int note_trouble(ReloadWait *w, const char *unit) {
        _auto_json_ JsonObject *reloads = NULL;

        if (fetch(w->mdctl, "Reloads", &reloads) != MDCTL_DONE)
                return RELOAD_WAIT_E_TOLD;
        (void) str_replace(&w->trouble, str_or(json_object_get_string(find(reloads, unit, 3)), "no reason given"));
        return RELOAD_WAIT_E_FAILED;
}

/* -EAGAIN: not yet. */
static int look(ReloadWait *w) {
        _auto_json_ JsonObject *now = NULL;

        if (fetch(w->mdctl, "ReloadCounts", &now) != MDCTL_DONE)
                return RELOAD_WAIT_E_TOLD;
        for (size_t i = 0; i < json_object_array_length(w->units); i++) {
                const char *unit = json_object_get_string(json_object_array_get_idx(w->units, i));

                if (count(now, unit, 2) > count(w->before, unit, 2))
                        return note_trouble(w, unit);
                if (count(now, unit, 1) == count(w->before, unit, 1))
                        return -EAGAIN;
        }
        return RELOAD_WAIT_DONE;
}

int reload_wait_run(ReloadWait *w, bool (*arrived)(Mdctl *c, void *userdata), void *userdata) {
        uint64_t until = clock_monotonic_usec() + PATIENCE_USEC, now;
        int r;

        do {
                w->changed = false;
                r = look(w);
                if (r > 0 || (r == RELOAD_WAIT_DONE && (!arrived || arrived(w->mdctl, userdata))))
                        return r;
                now = clock_monotonic_usec();
                r = client_run_until_time(w->mdctl, &w->changed, usec_sub(until, now));
                if (r < 0) {
                        (void) tell_bus(r);
                        return RELOAD_WAIT_E_TOLD;
                }
        } while (w->changed);
        return RELOAD_WAIT_E_LATE;
}
