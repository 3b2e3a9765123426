/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/dns-memory.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/strv.h"

#define KEPT_USEC (60 * USEC_PER_MINUTE)

enum { ENTRIES_MAX = 10000 };

typedef struct Entry {
        char **command;
        unsigned version;
} Entry;

struct DnsMemory {
        Map *entries; /* domain → Entry */
        sd_event_source *end; /* an hour after the last one came */
};

static void entry_release(void *value) {
        Entry *e = value;

        strv_free(e->command);
        free(e);
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata) {
        DnsMemory *m = userdata;
        const char *domain;
        Entry *e;

        MAP_FOREACH(m->entries, domain, e) {
                (void) map_remove(m->entries, domain);
                entry_release(e);
        }
        return 0;
}

int dns_memory_new(sd_event *event, DnsMemory **ret) {
        DnsMemory *m = calloc(1, sizeof(*m));
        int r;

        assert(event);
        assert(ret);

        if (!m)
                return -ENOMEM;
        m->entries = map_new();
        r = m->entries ? sd_event_add_time_relative(event, &m->end, CLOCK_MONOTONIC, KEPT_USEC, 0, on_end, m) : -ENOMEM;
        if (r >= 0)
                r = sd_event_source_set_enabled(m->end, SD_EVENT_OFF);
        if (r < 0) {
                dns_memory_free(m);
                return r;
        }
        *ret = m;
        return 0;
}

DnsMemory *dns_memory_free(DnsMemory *m) {
        if (!m)
                return NULL;

        map_free_with(m->entries, entry_release);
        sd_event_source_disable_unref(m->end);
        free(m);
        return NULL;
}

static int ensure_entry(DnsMemory *m, const char *domain, Entry **ret) {
        Entry *e = map_get(m->entries, domain);
        int r;

        if (!e) {
                if (map_size(m->entries) >= ENTRIES_MAX)
                        return -ENOBUFS;
                e = calloc(1, sizeof(*e));
                if (!e)
                        return -ENOMEM;
                r = map_put(m->entries, domain, e);
                if (r < 0) {
                        free(e);
                        return r;
                }
        }
        *ret = e;
        return 0;
}

int dns_memory_put(DnsMemory *m, const char *domain, char *const *command, unsigned version) {
        _auto_strv_ char **copy = strv_copy(command);
        Entry *e;
        int r;

        if (!copy)
                return -ENOMEM;
        r = ensure_entry(m, domain, &e);
        if (r < 0)
                return r;
        strv_free(e->command);
        e->command = take_ptr(copy);
        e->version = version;

        r = sd_event_source_set_time_relative(m->end, KEPT_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(m->end, SD_EVENT_ONESHOT);
}

char *const *dns_memory_get(const DnsMemory *m, const char *domain, unsigned *ret_version) {
        const Entry *e = map_get(m->entries, domain);

        if (!e)
                return NULL;
        *ret_version = e->version;
        return e->command;
}

bool dns_memory_is_empty(const DnsMemory *m) {
        return map_size(m->entries) == 0;
}
