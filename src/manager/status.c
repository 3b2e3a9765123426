/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/status.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/strv.h"
#include "store/status.h"

enum {
        WRITTEN_AT_ONCE = 32, /* domains: then the loop has its turn, if not before */
};

#define SLICE_USEC (5 * USEC_PER_MSEC)

struct Status {
        Manager *manager;
        Map *changed; /* name → Domain */
        bool manager_changed;
        bool failed; /* and told */
        sd_event_source *write;
};

static uint64_t hash_text(const char *s) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (; *s; s++)
                h = (h ^ (unsigned char) *s) * UINT64_C(0x100000001b3);
        return h == 0 ? 1 : h;
}

/* Without it all goes on: a failure is told once, until it is over. */
static void tell(Status *s, int r, const char *name) {
        bool failed = r != STORE_STATUS_DONE && r != STORE_STATUS_UNCHANGED;

        if (failed && !s->failed)
                (void) log_failure(r < 0 ? r : -ENOENT, "%s%sCannot write what the status pages show to %s/" STORE_STATUS ": %m. They show what was written last.",
                                   name ? name : "", name ? ": " : "", store_path(s->manager->store));
        s->failed = failed;
}

static void write_domain(Status *s, Domain *d) {
        _auto_free_ char *text = NULL;
        uint64_t hash;
        int r;

        r = status_format_domain(d, &text);
        if (r < 0) {
                tell(s, r, DOMAIN_NAME(d));
                return;
        }
        hash = hash_text(text);
        if (hash == d->shown)
                return;
        r = store_status_write(s->manager->store, DOMAIN_NAME(d), text);
        d->shown = r < 0 || r == STORE_STATUS_E_NOT_FOUND ? 0 : hash;
        tell(s, r, DOMAIN_NAME(d));
}

static void write_manager(Status *s) {
        _auto_free_ char *text = NULL;
        int r;

        s->manager_changed = false;
        r = status_format_manager(s->manager, &text);
        if (r == 0)
                r = store_status_write(s->manager->store, NULL, text);
        tell(s, r, NULL);
}

static int on_write(sd_event_source *source, void *userdata) {
        Status *s = userdata;
        uint64_t end = usec_add(clock_monotonic_usec(), SLICE_USEC);
        const char *name;
        unsigned n = 0;
        Domain *d;

        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (s->manager_changed)
                write_manager(s);
        MAP_FOREACH(s->changed, name, d) {
                if (n++ == WRITTEN_AT_ONCE || clock_monotonic_usec() >= end) {
                        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
                        break;
                }
                (void) map_remove(s->changed, DOMAIN_NAME(d));
                if (d->managed)
                        write_domain(s, d);
        }
        return 0;
}

int status_new(Manager *m, Status **ret) {
        Status *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->manager = m;
        s->changed = map_new();
        r = s->changed ? sd_event_add_defer(m->event, &s->write, on_write, s) : -ENOMEM;
        if (r >= 0)
                r = sd_event_source_set_enabled(s->write, SD_EVENT_OFF);
        if (r < 0) {
                status_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

Status *status_free(Status *s) {
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->write);
        map_free(s->changed);
        free(s);
        return NULL;
}

void status_changed(Status *s, Domain *d) {
        int r = 0;

        if (!s)
                return;
        if (d)
                r = map_put(s->changed, DOMAIN_NAME(d), d);
        else
                s->manager_changed = true;
        if (r < 0 && r != -EEXIST)
                tell(s, r, DOMAIN_NAME(d));
        (void) sd_event_source_set_enabled(s->write, SD_EVENT_ONESHOT);
}

void status_forget(Status *s, const Domain *d) {
        if (s && map_get(s->changed, DOMAIN_NAME(d)) == d)
                (void) map_remove(s->changed, DOMAIN_NAME(d));
}

void status_remove(Status *s, const Domain *d) {
        int r;

        status_forget(s, d);
        r = store_status_remove(s->manager->store, DOMAIN_NAME(d));
        if (r < 0)
                (void) log_failure(r, "%s: Cannot remove what the status pages show: %m", DOMAIN_NAME(d));
}

void status_prune(Status *s) {
        _auto_strv_ char **names = NULL;
        const char *name;
        int r = 0;
        Domain *d;
        size_t n = 0;

        names = calloc(map_size(s->manager->domains) + 1, sizeof(*names));
        if (!names)
                r = -ENOMEM;
        MAP_FOREACH(s->manager->domains, name, d)
                if (r == 0) {
                        names[n] = strdup(name);
                        r = names[n++] ? 0 : -ENOMEM;
                }
        if (r == 0)
                r = store_status_prune(s->manager->store, names);
        if (r < 0)
                (void) log_failure(r, "Cannot remove what the status pages showed of domains that are gone: %m");
}

void status_check(Status *s) {
        const char *name;
        Domain *d;

        MAP_FOREACH(s->manager->domains, name, d) {
                d->shown = 0;
                status_changed(s, d);
        }
        status_changed(s, NULL);
}
