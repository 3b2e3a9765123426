/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "base/strv.h"

enum {
        DEPTH_MAX = 32,
};

static inline void cleanup_tokener(struct json_tokener **t) {
        if (*t)
                json_tokener_free(*t);
}

/* Columns count bytes. */
static int tell_where(const char *data, size_t size, size_t offset, const char *what, char **ret_where) {
        unsigned line = 1, column = 1;
        char *where;

        if (!ret_where)
                return JSON_E_INVALID;

        for (size_t i = 0; i < offset && i < size; i++)
                if (data[i] == '\n') {
                        line++;
                        column = 1;
                } else
                        column++;
        where = str_printf("line %u, column %u: %s", line, column, what);
        if (!where)
                return -ENOMEM;
        *ret_where = where;
        return JSON_E_INVALID;
}

static size_t count_digits(const char *s, size_t size) {
        size_t n = 0;

        while (n < size && s[n] >= '0' && s[n] <= '9')
                n++;
        return n;
}

/* RFC 8259 section 6, and no integer that json-c would silently replace by the nearest one that it can hold. */
static bool number_is_valid(const char *s, size_t size) {
        bool negative = size > 0 && s[0] == '-';
        size_t i = negative, n = count_digits(s + i, size - i);
        uint64_t value = 0;

        if (n == 0 || (n > 1 && s[i] == '0'))
                return false;
        if (i + n == size) {
                for (; i < size; i++)
                        if (__builtin_mul_overflow(value, (uint64_t) 10, &value) ||
                            __builtin_add_overflow(value, (uint64_t) (s[i] - '0'), &value))
                                return false;
                return !negative || value <= (uint64_t) INT64_MAX + 1;
        }

        i += n;
        if (s[i] == '.') {
                n = count_digits(s + i + 1, size - i - 1);
                if (n == 0)
                        return false;
                i += 1 + n;
        }
        if (i < size && (s[i] == 'e' || s[i] == 'E')) {
                i++;
                if (i < size && (s[i] == '+' || s[i] == '-'))
                        i++;
                n = count_digits(s + i, size - i);
                if (n == 0)
                        return false;
                i += n;
        }
        return i == size;
}

/* What json-c lets through in its strict mode, too. The text has passed it, so that only the small things are left to look at.
 * NULL: nothing. */
static const char *find_fault(const char *data, size_t size, size_t *ret_offset) {
        bool in_string = false;

        for (size_t i = 0, n; i < size; i += n) {
                char c = data[i];

                n = 1;
                *ret_offset = i;
                if (c == '"')
                        in_string = !in_string;
                else if (in_string) {
                        n = c == '\\' ? MIN_OF((size_t) 2, size - i) : str_utf8_sequence(data + i, size - i, NULL);
                        if (n == 0)
                                return "no valid UTF-8";
                        if ((unsigned char) c < 0x20)
                                return "control byte in a string";
                } else if (c == '-' || (c >= '0' && c <= '9')) {
                        while (i + n < size && data[i + n] && strchr("+-.eE0123456789", data[i + n]))
                                n++;
                        if (!number_is_valid(data + i, n))
                                return "no number, or one with more than 64 bits";
                } else if (c == '\'' || c == 'N' || c == 'I')
                        return "neither string, number, list, object, true, false nor null"; /* 'text', NaN, Infinity */
        }
        return NULL;
}

/* One text with these flags, all of it. 1: it is none, and *ret_where says why. */
static int tokenize(const char *data, size_t size, int flags, JsonObject **ret, char **ret_where) {
        _cleanup_(cleanup_tokener) struct json_tokener *tokener = NULL;
        _auto_json_ JsonObject *o = NULL;
        enum json_tokener_error error;
        size_t end;

        tokener = json_tokener_new_ex(DEPTH_MAX);
        if (!tokener)
                return -ENOMEM;
        json_tokener_set_flags(tokener, flags);

        o = size > 0 ? json_tokener_parse_ex(tokener, data, (int) size) : NULL;
        error = size > 0 ? json_tokener_get_error(tokener) : json_tokener_continue;
        end = json_tokener_get_parse_end(tokener);
        if (error == json_tokener_continue) {
                /* A number could still go on: the NUL byte tells that it does not. */
                o = json_tokener_parse_ex(tokener, "", 1);
                error = json_tokener_get_error(tokener);
                if (error != json_tokener_success)
                        return tell_where(data, size, size, "unexpected end", ret_where);
        } else if (error == json_tokener_success && end < size)
                return tell_where(data, size, end, "something follows behind the end", ret_where);
        else if (error != json_tokener_success)
                return tell_where(data, size, end, json_tokener_error_desc(error), ret_where);

        *ret = take_ptr(o);
        return 0;
}

static bool is_ascii(const char *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                if ((unsigned char) data[i] >= 0x80)
                        return false;
        return true;
}

/* The strict mode of json-c 0.18 takes every byte of a character that is not ASCII for a control byte. So it is shown a copy with letters in
 * their place, which have the same right to be where they are, and then the text itself is read. */
static int tokenize_international(const char *data, size_t size, JsonObject **ret, char **ret_where) {
        _auto_json_ JsonObject *unused = NULL;
        _auto_free_ char *copy = malloc(size);
        int r;

        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < size; i++)
                copy[i] = (unsigned char) data[i] >= 0x80 ? 'x' : data[i];
        r = tokenize(copy, size, JSON_TOKENER_STRICT, &unused, ret_where);
        return r == 0 ? tokenize(data, size, JSON_TOKENER_VALIDATE_UTF8, ret, ret_where) : r;
}

int json_parse(const char *data, size_t size, JsonObject **ret, char **ret_where) {
        _auto_json_ JsonObject *o = NULL;
        const char *nul, *fault;
        size_t end;
        int r;

        assert(data || size == 0);
        assert(ret);

        /* The tokener takes it for the end. */
        nul = size > 0 ? memchr(data, 0, size) : NULL;
        if (nul)
                return tell_where(data, size, (size_t) (nul - data), "NUL byte", ret_where);
        if (size >= INT_MAX)
                return tell_where(data, size, 0, "too large", ret_where);

        r = is_ascii(data, size) ? tokenize(data, size, JSON_TOKENER_STRICT, &o, ret_where) : tokenize_international(data, size, &o, ret_where);
        if (r != 0)
                return r;

        fault = find_fault(data, size, &end);
        if (fault)
                return tell_where(data, size, end, fault, ret_where);

        *ret = take_ptr(o);
        return 0;
}

char *json_format(JsonObject *o) {
        const char *text;

        text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY|JSON_C_TO_STRING_SPACED|JSON_C_TO_STRING_NOSLASHESCAPE);
        return text ? str_printf("%s\n", text) : NULL;
}

char *json_format_short(JsonObject *o) {
        const char *text;

        text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN|JSON_C_TO_STRING_NOSLASHESCAPE);
        return text ? strdup(text) : NULL;
}

/* json-c converts between types without being asked, so the type is always looked at first. */
static JsonObject *member(JsonObject *o, const char *key, enum json_type type) {
        JsonObject *value = NULL;

        assert(key);

        if (!json_object_object_get_ex(o, key, &value) || !json_object_is_type(value, type))
                return NULL;
        return value;
}

/* NULL: no string, or one with a NUL byte inside. */
static const char *string_value(JsonObject *value) {
        const char *s;

        if (!json_object_is_type(value, json_type_string))
                return NULL;
        s = json_object_get_string(value);
        return s && strlen(s) == (size_t) json_object_get_string_len(value) ? s : NULL;
}

const char *json_get_string(JsonObject *o, const char *key) {
        return string_value(member(o, key, json_type_string));
}

bool json_get_bool(JsonObject *o, const char *key, bool fallback) {
        JsonObject *value = member(o, key, json_type_boolean);

        return value ? json_object_get_boolean(value) : fallback;
}

bool json_get_int(JsonObject *o, const char *key, int64_t *ret) {
        JsonObject *value = member(o, key, json_type_int);
        int64_t number;

        assert(ret);

        if (!value)
                return false;
        number = json_object_get_int64(value);
        if (number == INT64_MAX && json_object_get_uint64(value) > INT64_MAX)
                return false; /* json-c gave the greatest instead of the real one */
        *ret = number;
        return true;
}

bool json_get_uint(JsonObject *o, const char *key, uint64_t *ret) {
        JsonObject *value = member(o, key, json_type_int);

        assert(ret);

        if (!value || json_object_get_int64(value) < 0)
                return false;
        *ret = json_object_get_uint64(value);
        return true;
}

JsonObject *json_get_object(JsonObject *o, const char *key) {
        return member(o, key, json_type_object);
}

JsonObject *json_get_array(JsonObject *o, const char *key) {
        return member(o, key, json_type_array);
}

bool json_has(JsonObject *o, const char *key) {
        assert(key);

        return json_object_object_get_ex(o, key, NULL);
}

int json_get_strv(JsonObject *o, const char *key, size_t max, char ***ret) {
        _auto_strv_ char **list = NULL;
        JsonObject *array = NULL;
        size_t n;

        assert(key);
        assert(ret);

        if (!json_object_object_get_ex(o, key, &array) || !array) {
                *ret = NULL;
                return 0;
        }
        if (!json_object_is_type(array, json_type_array))
                return -EBADMSG;
        n = json_object_array_length(array);
        if (n > max)
                return -EBADMSG;

        list = n > 0 ? calloc(n + 1, sizeof(*list)) : NULL;
        if (n > 0 && !list)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const char *s = string_value(json_object_array_get_idx(array, i));

                if (!s)
                        return -EBADMSG;
                list[i] = strdup(s);
                if (!list[i])
                        return -ENOMEM;
        }
        *ret = take_ptr(list);
        return 0;
}

/* Bytes that are no UTF-8 become U+FFFD: json_parse() would refuse the whole text because of them. NULL: out of memory. */
static JsonObject *new_string(const char *s) {
        _auto_buffer_ Buffer b = BUFFER_INIT(SIZE_MAX);
        size_t size = strlen(s), n;
        const char *rest = s;

        while (size > 0 && (n = str_utf8_sequence(rest, size, NULL)) > 0) {
                rest += n;
                size -= n;
        }
        if (size == 0)
                return json_object_new_string(s);

        for (rest = s, size = strlen(s); size > 0; rest += n, size -= n) {
                n = str_utf8_sequence(rest, size, NULL);
                if (buffer_append(&b, n > 0 ? rest : "\xef\xbf\xbd", n > 0 ? n : 3) != 0)
                        return NULL;
                n = MAX_OF(n, (size_t) 1);
        }
        return json_object_new_string(b.data);
}

/* Takes 'value', which is NULL when there was no memory for it. */
static int add(JsonObject *o, const char *key, JsonObject *value) {
        assert(json_object_is_type(o, json_type_object));
        assert(key);

        if (!value)
                return -ENOMEM;
        if (json_object_object_add(o, key, value) < 0) {
                (void) json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

int json_add_string(JsonObject *o, const char *key, const char *value) {
        return value ? add(o, key, new_string(value)) : 0;
}

int json_add_bool(JsonObject *o, const char *key, bool value) {
        return add(o, key, json_object_new_boolean(value));
}

int json_add_int(JsonObject *o, const char *key, int64_t value) {
        return add(o, key, json_object_new_int64(value));
}

int json_add_uint(JsonObject *o, const char *key, uint64_t value) {
        return add(o, key, json_object_new_uint64(value));
}

int json_add_strv(JsonObject *o, const char *key, char *const *value) {
        _auto_json_ JsonObject *array = NULL;

        if (strv_length(value) == 0)
                return 0;
        array = json_object_new_array();
        if (!array)
                return -ENOMEM;
        STRV_FOREACH(s, value) {
                _auto_json_ JsonObject *entry = new_string(*s);

                if (!entry || json_object_array_add(array, entry) < 0)
                        return -ENOMEM;
                (void) take_ptr(entry);
        }
        return add(o, key, take_ptr(array));
}

int json_add_object(JsonObject *o, const char *key, JsonObject *value) {
        return add(o, key, value);
}

int json_add_time(JsonObject *o, const char *key, uint64_t usec) {
        char buffer[CLOCK_RFC822_MAX];

        return usec > 0 ? json_add_string(o, key, clock_format_rfc822(buffer, usec)) : 0;
}

uint64_t json_get_time(JsonObject *o, const char *key) {
        uint64_t usec;

        return clock_parse_http_date(json_get_string(o, key), &usec) == 0 ? usec : 0;
}
