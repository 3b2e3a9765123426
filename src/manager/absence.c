/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/absence.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/string-util.h"
#include "bus/unit-activity.h"
#include "manager/servers.h"

typedef struct Server {
        Absence *absence;
        char *id, *unit;
        uint64_t written_usec; /* of the snapshot in question */
        bool forgotten;
        UnitActivityQuestion question;
} Server;

struct Absence {
        Manager *manager;
        Map *servers; /* id → Server */
};

static void server_free(void *server) {
        Server *s = server;

        if (!s)
                return;
        unit_activity_drop(&s->question);
        free(s->id);
        free(s->unit);
        free(s);
}

/* A unit that was not started since then has been away for no longer, as far as anybody knows. */
static uint64_t boot_usec(void) {
        struct timespec ts;

        if (clock_gettime(CLOCK_BOOTTIME, &ts) < 0)
                return clock_now_usec();
        return usec_sub(clock_now_usec(), (uint64_t) ts.tv_sec * USEC_PER_SEC);
}

static bool is_long_gone(const Server *s, const UnitActivity *activity) {
        uint64_t limit = s->absence->manager->settings.forget_servers_usec, last;

        if (activity->active || limit == 0)
                return false;
        last = MAX_OF(s->written_usec, activity->inactive_since_usec != 0 ? activity->inactive_since_usec : boot_usec());
        return usec_sub(clock_now_usec(), last) > limit;
}

static void tell(const Server *s) {
        LogField fields[] = { { "MD_SERVER", s->id } };

        if (s->forgotten)
                log_full(LOG_NOTICE, 0, NULL, fields, ELEMENTSOF(fields),
                         "%s has not run for longer than ForgetServersSec=: its domains (servers/%s.json) are not managed any more until it is started.", s->unit,
                         s->id);
        else
                log_full(LOG_NOTICE, 0, NULL, fields, ELEMENTSOF(fields), "%s runs again: its domains (servers/%s.json) are managed.", s->unit, s->id);
}

static void on_activity(const UnitActivity *activity, void *userdata) {
        Server *s = userdata;
        Manager *m = s->absence->manager;
        bool forgotten;

        if (!activity)
                return;
        forgotten = is_long_gone(s, activity);
        if (forgotten == s->forgotten)
                return;
        s->forgotten = forgotten;
        tell(s);
        servers_look(m->servers);
}

int absence_new(Manager *m, Absence **ret) {
        Absence *a = calloc(1, sizeof(*a));

        if (!a)
                return -ENOMEM;
        a->manager = m;
        a->servers = map_new();
        if (!a->servers) {
                free(a);
                return -ENOMEM;
        }
        *ret = a;
        return 0;
}

Absence *absence_free(Absence *a) {
        if (!a)
                return NULL;
        map_free_with(a->servers, server_free);
        free(a);
        return NULL;
}

static int learn(Absence *a, const Snapshot *snapshot) {
        Server *s = map_get(a->servers, snapshot->id);
        int r;

        if (!s) {
                s = calloc(1, sizeof(*s));
                if (!s)
                        return -ENOMEM;
                s->absence = a;
                s->question = (UnitActivityQuestion){ .handler = on_activity, .userdata = s };
                r = str_replace(&s->id, snapshot->id);
                if (r == 0)
                        r = map_put(a->servers, snapshot->id, s);
                if (r < 0) {
                        server_free(s);
                        return r;
                }
        }
        s->forgotten = false; /* else it would not be among those that count */
        s->written_usec = snapshot->written_usec;
        return str_replace(&s->unit, snapshot->unit);
}

void absence_look(Absence *a) {
        size_t n;
        Snapshot *const *snapshots = servers_snapshots(a->manager->servers, &n);
        const char *id;
        Server *s;
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++)
                r = snapshots[i]->unit ? learn(a, snapshots[i]) : 0;
        MAP_FOREACH(a->servers, id, s)
                if (r == 0)
                        r = unit_activity_ask(a->manager->bus, s->unit, &s->question);
        if (r < 0)
                (void) log_failure(r, "Cannot ask systemd whether the servers run: %m");
}

bool absence_is_forgotten(const Absence *a, const Snapshot *snapshot) {
        const Server *s = a ? map_get(a->servers, snapshot->id) : NULL;

        return s && s->forgotten && s->written_usec == snapshot->written_usec;
}
