/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What comes over the bus as JSON, so that tables and --json are made from the same thing. Strings are made printable on the way. */

#include <systemd/sd-bus.h>

#include "base/json.h"

/* The next value of the message: structures and arrays become arrays, dictionaries objects, variants what is in them. */
int bus_json_read(sd_bus_message *m, JsonObject **ret);

/* The values that are left in the message as an object, each with the name at its place; 'names' ends with NULL. */
int bus_json_read_named(sd_bus_message *m, const char *const *names, JsonObject **ret);

/* An object from an array of values in order. NULL for something that has not exactly these; out of memory counts as that. */
JsonObject *bus_json_name(JsonObject *values, const char *const *names);
/* The same for each entry of an array of arrays. */
JsonObject *bus_json_name_each(JsonObject *list, const char *const *names);
