/* SPDX-License-Identifier: Apache-2.0 */
#include "base/key-spec.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/parse.h"
#include "base/string-util.h"

static bool is_letter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* The text becomes a part of file names, so it is held to what OpenSSL's names of curves need. Nothing that looks like one of our own words. */
static bool curve_is_valid(const char *s) {
        size_t n = strlen(s);

        if (n == 0 || n >= sizeof(((KeySpec *) NULL)->curve) || !is_letter(s[0]))
                return false;
        if (strncasecmp(s, "rsa", 3) == 0 || strcasecmp(s, "default") == 0)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!is_letter(s[i]) && !is_digit(s[i]) && s[i] != '-' && s[i] != '_')
                        return false;
        return true;
}

static bool bits_are_valid(uint64_t bits) {
        return bits >= KEY_SPEC_RSA_BITS_MIN && bits <= KEY_SPEC_RSA_BITS_MAX;
}

static bool same_file(const KeySpec *a, const KeySpec *b) {
        if (a->type == KEY_TYPE_EC && b->type == KEY_TYPE_EC)
                return strcasecmp(a->curve, b->curve) == 0;
        return a->type != KEY_TYPE_EC && b->type != KEY_TYPE_EC;
}

static const char *specs_add(KeySpecs *specs, const KeySpec *spec) {
        for (size_t i = 0; i < specs->n; i++)
                if (same_file(&specs->items[i], spec))
                        return spec->type == KEY_TYPE_EC ? "the same curve is given twice" : "only one RSA key is possible";
        if (specs->n == KEY_SPEC_MAX)
                return "there are too many keys";
        specs->items[specs->n++] = *spec;
        return NULL;
}

/* Reads one spec at words[0], which takes one word or two. */
static const char *spec_parse(char *const *words, KeySpec *ret, size_t *ret_used) {
        KeySpec spec = {};
        const char *bits = NULL;
        uint32_t n;

        *ret_used = 1;
        if (strncasecmp(words[0], "rsa", 3) != 0) {
                if (!curve_is_valid(words[0]))
                        return "a word is neither \"Default\", \"RSA\" nor a possible name of a curve";
                spec.type = KEY_TYPE_EC;
                (void) snprintf(spec.curve, sizeof(spec.curve), "%s", words[0]);
                *ret = spec;
                return NULL;
        }

        if (words[0][3])
                bits = words[0] + 3;
        else if (words[1] && is_digit(words[1][0])) {
                bits = words[1];
                *ret_used = 2;
        }
        spec.type = KEY_TYPE_RSA;
        spec.bits = KEY_SPEC_RSA_BITS_DEFAULT;
        if (bits) {
                if (parse_uint32(bits, &n) < 0)
                        return "the size of an RSA key is not a number";
                if (n < KEY_SPEC_RSA_BITS_MIN)
                        return "an RSA key needs at least 2048 bits";
                if (n > KEY_SPEC_RSA_BITS_MAX)
                        return "an RSA key has at most 16384 bits";
                spec.bits = n;
        }
        *ret = spec;
        return NULL;
}

int key_specs_parse(char *const *words, KeySpecs *ret, const char **ret_why) {
        KeySpecs specs = {};
        const char *why = NULL;
        size_t used;

        assert(ret);
        assert(ret_why);

        if (!words || !words[0])
                why = "no key is given";
        else if (strcasecmp(words[0], "default") == 0) {
                specs.items[specs.n++] = (KeySpec){ .type = KEY_TYPE_DEFAULT, .bits = KEY_SPEC_RSA_BITS_DEFAULT };
                if (words[1])
                        why = "\"Default\" stands alone";
        } else
                for (; !why && *words; words += used) {
                        KeySpec spec;

                        why = spec_parse(words, &spec, &used);
                        if (!why)
                                why = specs_add(&specs, &spec);
                }

        if (why) {
                *ret_why = why;
                return KEY_SPEC_E_INVALID;
        }
        *ret = specs;
        return KEY_SPEC_DONE;
}

size_t key_specs_count(const KeySpecs *specs) {
        assert(specs);

        return specs->n > 0 ? specs->n : 1;
}

KeySpec key_specs_get(const KeySpecs *specs, size_t i) {
        assert(specs);
        assert(i < key_specs_count(specs));

        if (specs->n == 0)
                return (KeySpec){ .type = KEY_TYPE_DEFAULT, .bits = KEY_SPEC_RSA_BITS_DEFAULT };
        return specs->items[i];
}

static unsigned rsa_bits(const KeySpec *spec) {
        return spec->type == KEY_TYPE_DEFAULT || spec->bits == 0 ? KEY_SPEC_RSA_BITS_DEFAULT : spec->bits;
}

bool key_spec_equal(const KeySpec *a, const KeySpec *b) {
        assert(a);
        assert(b);

        return same_file(a, b) && (a->type == KEY_TYPE_EC || rsa_bits(a) == rsa_bits(b));
}

char *key_spec_name(const KeySpec *spec, char buffer[static KEY_SPEC_NAME_MAX]) {
        assert(spec);

        (void) snprintf(buffer, KEY_SPEC_NAME_MAX, "%s", spec->type == KEY_TYPE_EC ? spec->curve : "rsa");
        str_to_lower(buffer);
        return buffer;
}

char *key_spec_file(const KeySpec *spec, const char *stem, char buffer[static KEY_SPEC_FILE_MAX]) {
        char name[KEY_SPEC_NAME_MAX];
        int n;

        assert(spec);
        assert(stem);

        if (spec->type == KEY_TYPE_EC)
                n = snprintf(buffer, KEY_SPEC_FILE_MAX, "%s.%s.pem", stem, key_spec_name(spec, name));
        else
                n = snprintf(buffer, KEY_SPEC_FILE_MAX, "%s.pem", stem);
        assert(n > 0 && n < KEY_SPEC_FILE_MAX);
        (void) n;
        return buffer;
}

static int spec_to_json(const KeySpec *spec, JsonObject **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();
        int r = 0;

        if (!o)
                return -ENOMEM;
        switch (spec->type) {
        case KEY_TYPE_DEFAULT:
                r = json_add_string(o, "type", "Default");
                break;
        case KEY_TYPE_RSA:
                r = json_add_string(o, "type", "RSA");
                if (r == 0)
                        r = json_add_uint(o, "bits", rsa_bits(spec));
                break;
        case KEY_TYPE_EC:
                r = json_add_string(o, "type", "EC");
                if (r == 0)
                        r = json_add_string(o, "curve", spec->curve);
                break;
        }
        if (r < 0)
                return r;
        *ret = take_ptr(o);
        return 0;
}

int key_specs_to_json(const KeySpecs *specs, JsonObject *o, const char *key) {
        _auto_json_ JsonObject *list = NULL;
        JsonObject *item;
        int r;

        assert(specs);
        assert(specs->n <= KEY_SPEC_MAX);

        if (specs->n == 0)
                return 0;
        if (specs->n == 1) {
                r = spec_to_json(&specs->items[0], &item);
                return r < 0 ? r : json_add_object(o, key, item);
        }

        list = json_object_new_array();
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < specs->n; i++) {
                r = spec_to_json(&specs->items[i], &item);
                if (r < 0)
                        return r;
                if (json_object_array_add(list, item) < 0) {
                        (void) json_object_put(item);
                        return -ENOMEM;
                }
        }
        return json_add_object(o, key, take_ptr(list));
}

static int spec_from_json(JsonObject *o, KeySpec *ret) {
        const char *type = json_get_string(o, "type"), *curve;
        KeySpec spec = { .bits = KEY_SPEC_RSA_BITS_DEFAULT };
        uint64_t bits;

        if (!type)
                return -EBADMSG;
        if (strcasecmp(type, "Default") == 0)
                spec.type = KEY_TYPE_DEFAULT;
        else if (strcasecmp(type, "RSA") == 0) {
                spec.type = KEY_TYPE_RSA;
                if (json_has(o, "bits")) {
                        if (!json_get_uint(o, "bits", &bits) || !bits_are_valid(bits))
                                return -EBADMSG;
                        spec.bits = (unsigned) bits;
                }
        } else if (strcasecmp(type, "EC") == 0) {
                curve = json_get_string(o, "curve");
                if (!curve || !curve_is_valid(curve))
                        return -EBADMSG;
                spec = (KeySpec){ .type = KEY_TYPE_EC };
                (void) snprintf(spec.curve, sizeof(spec.curve), "%s", curve);
        } else
                return -EBADMSG;
        *ret = spec;
        return 0;
}

static int specs_from_array(JsonObject *list, KeySpecs *ret) {
        KeySpecs specs = {};
        size_t n = json_object_array_length(list);

        for (size_t i = 0; i < n; i++) {
                JsonObject *item = json_object_array_get_idx(list, i);
                KeySpec spec;
                int r;

                if (!json_object_is_type(item, json_type_object))
                        return -EBADMSG;
                r = spec_from_json(item, &spec);
                if (r < 0)
                        return r;
                if (specs_add(&specs, &spec))
                        return -EBADMSG;
        }
        *ret = specs;
        return 0;
}

int key_specs_from_json(JsonObject *o, const char *key, KeySpecs *ret) {
        JsonObject *value;
        KeySpecs specs = {};
        int r;

        assert(ret);

        value = json_get_array(o, key);
        if (value)
                return specs_from_array(value, ret);
        value = json_get_object(o, key);
        if (value) {
                r = spec_from_json(value, &specs.items[0]);
                if (r < 0)
                        return r;
                specs.n = 1;
        } else if (json_has(o, key))
                return -EBADMSG;
        *ret = specs;
        return 0;
}
