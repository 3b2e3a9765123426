/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* JSON, strict and bounded, over json-c. Getters check the type: a value of another type is as bad as a missing one.
 *
 * Ownership: a JsonObject is reference-counted by json-c; _auto_json_ puts one reference. Getters of objects and arrays borrow. */

#include <json-c/json.h>

#include "base/macro.h"

typedef struct json_object JsonObject;

static inline void cleanup_json(JsonObject **o) {
        if (*o)
                (void) json_object_put(*o);
}
#define _auto_json_ _cleanup_(cleanup_json)

enum {
        JSON_DONE,
        JSON_E_INVALID, /* not JSON, trailing bytes, a NUL byte inside, nested deeper than 32 */
};

/* The caller bounds 'size' by the way it read the bytes. On JSON_E_INVALID, *ret_where (may be NULL) receives "line 3, column 7: …";
 * the caller frees it. */
int json_parse(const char *data, size_t size, JsonObject **ret, char **ret_where);

/* Whether 'data' is one whole JSON object that json_parse() takes (but for the size of numbers), without building it: for text that is handed
 * on as it is. In json-check.c. */
bool json_is_object(const char *data, size_t size) _pure_;

/* Parts of such a text, for lists that are too long to be parsed as a whole: what is built of a JSON text takes several times its room.
 *
 * json_find_list(): the list that is the member 'key' of the object 'data', with its brackets. False: 'data' is not one whole object, the member is missing, there twice, or
 * no list; or some member's name is written with escapes, so that it cannot be told.
 * json_next_entry(): the list's next entry; the first one when 'entry' is zero. False: there are no more. */
typedef struct JsonSpan {
        const char *begin, *end;
} JsonSpan;

bool json_find_list(const char *data, size_t size, const char *key, JsonSpan *ret);
bool json_next_entry(const JsonSpan *list, JsonSpan *entry);

/* Text with two blanks of indentation and a newline at the end, as mod_md writes it. NULL: out of memory. */
char *json_format(JsonObject *o);
char *json_format_short(JsonObject *o); /* one line, no newline at the end */

/* Typed getters. NULL, 'fallback', or false when the member is missing or of another type. Strings with a NUL byte inside count as missing. */
const char *json_get_string(JsonObject *o, const char *key);
bool json_get_bool(JsonObject *o, const char *key, bool fallback);
bool json_get_int(JsonObject *o, const char *key, int64_t *ret);
bool json_get_uint(JsonObject *o, const char *key, uint64_t *ret);
JsonObject *json_get_object(JsonObject *o, const char *key);
JsonObject *json_get_array(JsonObject *o, const char *key);
bool json_has(JsonObject *o, const char *key); /* of any type, also null */

/* A list of strings with at most 'max' entries. A missing member gives the empty list (NULL); an entry that is no string, or too many: -EBADMSG. */
int json_get_strv(JsonObject *o, const char *key, size_t max, char ***ret);

/* Builders: they add a member and return 0 or -ENOMEM. NULL strings and empty lists add nothing. */
int json_add_string(JsonObject *o, const char *key, const char *value);
int json_add_bool(JsonObject *o, const char *key, bool value);
int json_add_int(JsonObject *o, const char *key, int64_t value);
int json_add_uint(JsonObject *o, const char *key, uint64_t value);
int json_add_strv(JsonObject *o, const char *key, char *const *value);
int json_add_object(JsonObject *o, const char *key, JsonObject *value); /* takes the reference, also on failure */

/* Times in RFC 822 form, as mod_md writes them; 0 adds nothing. A member that is missing or no time gives 0. */
int json_add_time(JsonObject *o, const char *key, uint64_t usec);
uint64_t json_get_time(JsonObject *o, const char *key);
