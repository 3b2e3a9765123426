/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Entries stand in an array in the order of insertion, beside it a hash table of their places. A removed entry leaves a gap that
 * closes when the map grows the next time, so removing never moves what an iteration has still to see. */

typedef struct Entry {
        char *key; /* NULL: a gap */
        void *value;
        uint32_t hash;
} Entry;

struct Map {
        Entry *entries;
        size_t n_entries; /* with gaps */
        size_t n_live;
        uint32_t *slots; /* 0: never used, otherwise the place of an entry or gap plus one */
        size_t n_slots;  /* a power of two; at most half of them are used */
};

enum {
        SLOTS_MIN = 16,
};

Map *map_new(void) {
        return calloc(1, sizeof(Map));
}

Map *map_free_with(Map *m, void (*release)(void *value)) {
        if (!m)
                return NULL;

        for (size_t i = 0; i < m->n_entries; i++) {
                if (!m->entries[i].key)
                        continue;
                if (release)
                        release(m->entries[i].value);
                free(m->entries[i].key);
        }
        free(m->entries);
        free(m->slots);
        free(m);
        return NULL;
}

Map *map_free(Map *m) {
        return map_free_with(m, NULL);
}

size_t map_size(const Map *m) {
        assert(m);

        return m->n_live;
}

static uint32_t hash_of(const char *key) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

        for (; *key; key++) {
                hash ^= (unsigned char) *key;
                hash *= UINT64_C(0x100000001b3);
        }
        return (uint32_t) (hash ^ hash >> 32);
}

static Entry *find(const Map *m, const char *key) {
        uint32_t hash = hash_of(key);

        if (m->n_slots == 0)
                return NULL;
        for (size_t i = hash & (m->n_slots - 1); m->slots[i] != 0; i = (i + 1) & (m->n_slots - 1)) {
                Entry *e = &m->entries[m->slots[i] - 1];

                if (e->key && e->hash == hash && strcmp(e->key, key) == 0)
                        return e;
        }
        return NULL;
}

static void enter(Map *m, size_t place) {
        size_t i = m->entries[place].hash & (m->n_slots - 1);

        while (m->slots[i] != 0)
                i = (i + 1) & (m->n_slots - 1);
        m->slots[i] = (uint32_t) place + 1;
}

/* Makes room for one more entry, closing the gaps on the way. */
static int make_room(Map *m) {
        size_t n_slots = SLOTS_MIN;
        uint32_t *slots;
        Entry *entries;

        if (m->n_entries < m->n_slots / 2)
                return 0;

        while (n_slots / 2 <= m->n_live + m->n_live / 2)
                n_slots *= 2;
        if (n_slots > UINT32_MAX / 2)
                return -ENOMEM;
        entries = calloc(n_slots / 2, sizeof(*entries));
        slots = calloc(n_slots, sizeof(*slots));
        if (!entries || !slots) {
                free(entries);
                free(slots);
                return -ENOMEM;
        }

        for (size_t i = 0, n = 0; i < m->n_entries; i++)
                if (m->entries[i].key)
                        entries[n++] = m->entries[i];
        free(m->entries);
        free(m->slots);
        m->entries = entries;
        m->n_entries = m->n_live;
        m->slots = slots;
        m->n_slots = n_slots;
        for (size_t i = 0; i < m->n_entries; i++)
                enter(m, i);
        return 0;
}

void *map_get(const Map *m, const char *key) {
        Entry *e;

        assert(m);
        assert(key);

        e = find(m, key);
        return e ? e->value : NULL;
}

int map_put(Map *m, const char *key, void *value) {
        char *copy;
        int r;

        assert(m);
        assert(key);
        assert(value);

        if (find(m, key))
                return -EEXIST;
        r = make_room(m);
        if (r < 0)
                return r;
        copy = strdup(key);
        if (!copy)
                return -ENOMEM;

        m->entries[m->n_entries] = (Entry) { .key = copy, .value = value, .hash = hash_of(key) };
        enter(m, m->n_entries);
        m->n_entries++;
        m->n_live++;
        return 0;
}

void *map_remove(Map *m, const char *key) {
        void *value;
        Entry *e;

        assert(m);
        assert(key);

        e = find(m, key);
        if (!e)
                return NULL;
        value = e->value;
        free(e->key); /* 'key' may be this very string */
        *e = (Entry) {};
        m->n_live--;
        return value;
}

bool map_next(const Map *m, size_t *position, const char **ret_key, void **ret_value) {
        assert(m);
        assert(position);

        for (; *position < m->n_entries; (*position)++) {
                const Entry *e = &m->entries[*position];

                if (!e->key)
                        continue;
                if (ret_key)
                        *ret_key = e->key;
                if (ret_value)
                        *ret_value = e->value;
                (*position)++;
                return true;
        }
        return false;
}
