/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What comes over the bus as JSON, so that tables and --json are made from the same thing. Strings are made printable on the way. */

#include <systemd/sd-bus.h>

#include "base/json.h"

/* The next value of the message: structures and arrays become arrays, dictionaries objects, variants what is in them. */
int bus_json_read(sd_bus_message *m, JsonObject **ret);

/* In the following, 'names' are as many as there are values, no two alike, and NULL behind them; they are not copied, and live as long as the program.
 *
 * The values that are left in the message as an object, each with the name at its place. */
int bus_json_read_named(sd_bus_message *m, const char *const *names, JsonObject **ret);
/* An array of structures with exactly these values: such an object for each, which is on_entry's to look at and gone behind it, so that a very long list takes no room.
 * A negative errno of it ends the reading, and is returned. */
typedef int (*BusJsonEntry)(JsonObject *entry, void *userdata);
int bus_json_read_each_named(sd_bus_message *m, const char *const *names, BusJsonEntry on_entry, void *userdata);
/* An object from an array of values in order. NULL for something that has not exactly these; out of memory counts as that. */
JsonObject *bus_json_name(JsonObject *values, const char *const *names);
/* The same for each entry of an array of arrays. */
JsonObject *bus_json_name_each(JsonObject *list, const char *const *names);
