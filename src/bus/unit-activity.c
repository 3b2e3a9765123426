/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/unit-activity.h"

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/names.h"

static int read_property(sd_bus_message *m, UnitActivity *ret) {
        const char *name, *state;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        if (str_equal(name, "ActiveState")) {
                r = sd_bus_message_read(m, "v", "s", &state);
                if (r >= 0)
                        ret->active = !str_equal(state, "inactive") && !str_equal(state, "failed");
                return r;
        }
        if (str_equal(name, "InactiveEnterTimestamp"))
                return sd_bus_message_read(m, "v", "t", &ret->inactive_since_usec);
        return sd_bus_message_skip(m, "v");
}

static int read_properties(sd_bus_message *m, UnitActivity *ret) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r > 0) {
                r = sd_bus_message_enter_container(m, 'e', "sv");
                if (r <= 0)
                        return r;
                r = read_property(m, ret);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        UnitActivityQuestion *q = userdata;
        _unused_ _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = take_ptr(q->slot);
        UnitActivity activity = { .active = true };
        bool known = !sd_bus_message_is_method_error(m, NULL) && read_properties(m, &activity) >= 0;

        q->handler(known ? &activity : NULL, q->userdata);
        return 0;
}

int unit_activity_ask(sd_bus *bus, const char *unit, UnitActivityQuestion *q) {
        _auto_free_ char *path = NULL;
        int r;

        assert(q);
        assert(q->handler);

        unit_activity_drop(q);
        r = sd_bus_path_encode(BUS_SYSTEMD_PATH "/unit", unit, &path);
        if (r < 0)
                return r;
        return sd_bus_call_method_async(bus, &q->slot, BUS_SYSTEMD_NAME, path, "org.freedesktop.DBus.Properties", "GetAll", on_properties, q, "s",
                                        "org.freedesktop.systemd1.Unit");
}

void unit_activity_drop(UnitActivityQuestion *q) {
        q->slot = sd_bus_slot_unref(q->slot);
}
