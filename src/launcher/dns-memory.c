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
        uint64_t put_usec; /* monotonic */
} Entry;

struct DnsMemory {
        Map *entries; /* domain → Entry */
        sd_event_source *end; /* on while there are any: when the oldest one is over, at the latest */
};

static void entry_release(void *value) {
        Entry *e = value;

        strv_free(e->command);
        free(e);
}

static int wake_at(DnsMemory *m, uint64_t usec) {
        int r = sd_event_source_set_time(m->end, usec);

        return r < 0 ? r : sd_event_source_set_enabled(m->end, SD_EVENT_ONESHOT);
}

static void forget(DnsMemory *m, const char *domain) {
        Entry *e = map_remove(m->entries, domain);

        if (e)
                entry_release(e);
}

/* Those that are over; the others are asked again when the oldest of them is. */
static int on_end(sd_event_source *source, uint64_t usec, void *userdata) {
        uint64_t now = clock_monotonic_usec(), oldest = UINT64_MAX;
        DnsMemory *m = userdata;
        const char *domain;
        Entry *e;

        MAP_FOREACH(m->entries, domain, e)
                if (usec_add(e->put_usec, KEPT_USEC) <= now)
                        forget(m, domain);
                else
                        oldest = MIN_OF(oldest, e->put_usec);
        return oldest == UINT64_MAX ? 0 : wake_at(m, usec_add(oldest, KEPT_USEC));
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

/* The memory is for the case that the configuration changes meanwhile: where there are very many, the oldest are the first that need it no more. */
static void make_room(DnsMemory *m) {
        const char *domain, *first = NULL;
        uint64_t oldest = UINT64_MAX;
        Entry *e;

        if (map_size(m->entries) < ENTRIES_MAX)
                return;
        MAP_FOREACH(m->entries, domain, e)
                if (e->put_usec < oldest) {
                        oldest = e->put_usec;
                        first = domain;
                }
        forget(m, first);
}

static int ensure_entry(DnsMemory *m, const char *domain, Entry **ret) {
        Entry *e = map_get(m->entries, domain);
        int r;

        if (!e) {
                make_room(m);
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
        bool first = dns_memory_is_empty(m);
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
        e->put_usec = clock_monotonic_usec();

        return first ? wake_at(m, usec_add(e->put_usec, KEPT_USEC)) : 0;
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
