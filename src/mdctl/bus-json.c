/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/bus-json.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"

/* The longest is the CA's subproblems. */
enum { TEXT_MAX = 256 * 1024 };

static bool is_plain(const char *s, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (s[i] < ' ' || s[i] > '~')
                        return false;
        return true;
}

/* Most texts are plain, and there may be very many: these are not copied twice. */
static JsonObject *text_to_json(const char *s) {
        _auto_free_ char *printable = NULL;
        size_t size = strlen(s);

        if (size <= TEXT_MAX && is_plain(s, size))
                return json_object_new_string_len(s, (int) size);
        printable = str_printable(s, size, TEXT_MAX);
        return printable ? json_object_new_string(printable) : NULL;
}

static int read_basic(sd_bus_message *m, char type, JsonObject **ret) {
        union {
                uint8_t y;
                int b;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                const char *s;
        } v;
        JsonObject *o;
        int r;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;
        switch (type) {
        case 'y': o = json_object_new_int64(v.y); break;
        case 'b': o = json_object_new_boolean(v.b); break;
        case 'n': o = json_object_new_int64(v.n); break;
        case 'q': o = json_object_new_int64(v.q); break;
        case 'i': o = json_object_new_int64(v.i); break;
        case 'u': o = json_object_new_int64(v.u); break;
        case 'x': o = json_object_new_int64(v.x); break;
        case 't': o = json_object_new_uint64(v.t); break;
        case 'd': o = json_object_new_double(v.d); break;
        case 's':
        case 'o':
        case 'g': o = text_to_json(v.s); break;
        default: return -EOPNOTSUPP; /* a descriptor: nobody sends us one */
        }
        if (!o)
                return -ENOMEM;
        *ret = o;
        return 0;
}

static int read_entries(sd_bus_message *m, JsonObject *list) {
        int r;

        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                JsonObject *value;

                r = bus_json_read(m, &value);
                if (r < 0)
                        return r;
                if (json_object_array_add(list, value) < 0) {
                        (void) json_object_put(value);
                        return -ENOMEM;
                }
        }
        return r < 0 ? r : 0;
}

static int read_pairs(sd_bus_message *m, JsonObject *object) {
        int r;

        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                _auto_json_ JsonObject *key = NULL;
                JsonObject *value;

                r = sd_bus_message_enter_container(m, 'e', NULL);
                if (r >= 0)
                        r = bus_json_read(m, &key);
                if (r >= 0)
                        r = bus_json_read(m, &value);
                if (r < 0)
                        return r;
                r = json_add_object(object, json_object_get_string(key), value);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : 0;
}

static int read_container(sd_bus_message *m, char type, const char *contents, JsonObject **ret) {
        bool is_dictionary = type == 'a' && contents[0] == '{';
        _auto_json_ JsonObject *o = is_dictionary ? json_object_new_object() : json_object_new_array();
        int r;

        if (!o)
                return -ENOMEM;
        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;
        r = is_dictionary ? read_pairs(m, o) : read_entries(m, o);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = take_ptr(o);
        return 0;
}

static int read_variant(sd_bus_message *m, const char *contents, JsonObject **ret) {
        _auto_json_ JsonObject *o = NULL;
        int r;

        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r >= 0)
                r = bus_json_read(m, &o);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = take_ptr(o);
        return 0;
}

int bus_json_read(sd_bus_message *m, JsonObject **ret) {
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (r == 0)
                return -EBADMSG;
        if (type == 'v')
                return read_variant(m, contents, ret);
        if (type == 'a' || type == 'r')
                return read_container(m, type, contents, ret);
        return read_basic(m, type, ret);
}

/* Takes 'value'. */
static int add_named(JsonObject *o, const char *name, JsonObject *value) {
        if (json_object_object_add_ex(o, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW|JSON_C_OBJECT_ADD_CONSTANT_KEY) >= 0)
                return 0;
        (void) json_object_put(value);
        return -ENOMEM;
}

int bus_json_read_named(sd_bus_message *m, const char *const *names, JsonObject **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();
        int r = 0;

        if (!o)
                return -ENOMEM;
        for (; r >= 0 && *names; names++) {
                JsonObject *value = NULL;

                r = bus_json_read(m, &value);
                if (r >= 0)
                        r = add_named(o, *names, value);
        }
        if (r < 0)
                return r;
        *ret = take_ptr(o);
        return 0;
}

static int read_entry_named(sd_bus_message *m, const char *const *names, BusJsonEntry on_entry, void *userdata) {
        _auto_json_ JsonObject *o = NULL;
        int r;

        r = sd_bus_message_enter_container(m, 'r', NULL);
        if (r >= 0)
                r = bus_json_read_named(m, names, &o);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : on_entry(o, userdata);
}

int bus_json_read_each_named(sd_bus_message *m, const char *const *names, BusJsonEntry on_entry, void *userdata) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', NULL);
        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                r = read_entry_named(m, names, on_entry, userdata);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 0;
}

JsonObject *bus_json_name(JsonObject *values, const char *const *names) {
        _auto_json_ JsonObject *o = json_object_new_object();
        size_t n = 0;

        while (names[n])
                n++;
        if (!o || !json_object_is_type(values, json_type_array) || json_object_array_length(values) != n)
                return NULL;
        for (size_t i = 0; i < n; i++)
                if (add_named(o, names[i], json_object_get(json_object_array_get_idx(values, i))) < 0)
                        return NULL;
        return take_ptr(o);
}

JsonObject *bus_json_name_each(JsonObject *list, const char *const *names) {
        _auto_json_ JsonObject *named = json_object_new_array();

        if (!named || !json_object_is_type(list, json_type_array))
                return NULL;
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                JsonObject *o = bus_json_name(json_object_array_get_idx(list, i), names);

                if (!o)
                        return NULL;
                if (json_object_array_add(named, o) < 0) {
                        (void) json_object_put(o);
                        return NULL;
                }
        }
        return take_ptr(named);
}
