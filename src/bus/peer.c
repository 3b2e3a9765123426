/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/peer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"

#define DBUS_NAME "org.freedesktop.DBus"
#define DBUS_PATH "/org/freedesktop/DBus"

struct PeerWatch {
        sd_bus *bus; /* borrowed */
        char *name;
        PeerHandler handler;
        void *userdata;
        sd_bus_slot *match, *question;
        bool gone;
};

static void tell(PeerWatch *w) {
        if (w->gone)
                return;
        w->gone = true;
        w->handler(w, w->userdata);
}

static int on_name_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        PeerWatch *w = userdata;
        const char *name, *before, *after;

        if (!str_equal(sd_bus_message_get_sender(m), DBUS_NAME) || sd_bus_message_read(m, "sss", &name, &before, &after) < 0)
                return 0;
        if (str_equal(name, w->name) && *after == '\0')
                tell(w);
        return 0;
}

static int on_has_owner(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        PeerWatch *w = userdata;
        int has;

        if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "b", &has) < 0)
                return 0; /* our own connection is lost, most likely */
        if (!has)
                tell(w);
        return 0;
}

int peer_watch_new(sd_bus *bus, const char *name, PeerHandler handler, void *userdata, PeerWatch **ret) {
        _auto_free_ char *match = NULL;
        PeerWatch *w;
        int r;

        assert(bus);
        assert(name);
        assert(handler);
        assert(ret);

        w = calloc(1, sizeof(*w));
        match = str_printf("type='signal',sender='" DBUS_NAME "',path='" DBUS_PATH "',interface='" DBUS_NAME "',member='NameOwnerChanged',arg0='%s'", name);
        if (w)
                w->name = strdup(name);
        if (!w || !match || !w->name) {
                peer_watch_free(w);
                return -ENOMEM;
        }
        w->bus = bus;
        w->handler = handler;
        w->userdata = userdata;
        /* The match is on its way before the question: whoever leaves in between is told by one or the other. */
        r = sd_bus_add_match_async(bus, &w->match, match, on_name_owner_changed, NULL, w);
        if (r >= 0)
                r = sd_bus_call_method_async(bus, &w->question, DBUS_NAME, DBUS_PATH, DBUS_NAME, "NameHasOwner", on_has_owner, w, "s", name);
        if (r < 0) {
                peer_watch_free(w);
                return r;
        }
        *ret = w;
        return 0;
}

PeerWatch *peer_watch_free(PeerWatch *w) {
        if (!w)
                return NULL;
        sd_bus_slot_unref(w->match);
        sd_bus_slot_unref(w->question);
        free(w->name);
        free(w);
        return NULL;
}
