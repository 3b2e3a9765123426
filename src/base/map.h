/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Map from strings to pointers. Keys are copied, values are the caller's. Iteration is in the order of insertion. */

#include "base/macro.h"

typedef struct Map Map;

Map *map_new(void); /* NULL: out of memory */
Map *map_free(Map *m); /* keys and the map, not the values */
Map *map_free_with(Map *m, void (*release)(void *value));
DEFINE_CLEANUP(Map *, map_free)
#define _auto_map_ _cleanup_(map_freep)

size_t map_size(const Map *m);
void *map_get(const Map *m, const char *key); /* NULL: not there */
int map_put(Map *m, const char *key, void *value); /* -EEXIST: is there; 'value' is not NULL */
void *map_remove(Map *m, const char *key); /* the value, or NULL */

/* The entry at or after *position in insertion order; advances it. Start with 0. An entry may be removed while iterating. */
bool map_next(const Map *m, size_t *position, const char **ret_key, void **ret_value);

#define MAP_FOREACH(m, key, value) \
        for (size_t _position_##value = 0; map_next((m), &_position_##value, &(key), (void **) &(value));)
