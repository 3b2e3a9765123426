/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which keys a domain has: one certificate for each. On floor 1 because the two strangers 'domain' and 'crypto' both speak of it. File names are mod_md's: RSA and the default are "privkey.pem", a curve is
 * "privkey.CURVE.pem" with the lower-cased text of the configuration. */

#include "base/json.h"

typedef enum KeyType {
        KEY_TYPE_DEFAULT, /* what we think best: RSA 2048, as mod_md */
        KEY_TYPE_RSA,
        KEY_TYPE_EC,
} KeyType;

enum {
        KEY_SPEC_RSA_BITS_DEFAULT = 2048,
        KEY_SPEC_RSA_BITS_MIN = 2048,
        KEY_SPEC_RSA_BITS_MAX = 16384,
        KEY_SPEC_MAX = 8, /* per domain */
};

typedef struct KeySpec {
        KeyType type;
        unsigned bits;   /* RSA */
        char curve[32];  /* EC: the text of the configuration, "P-256", "secp384r1" */
} KeySpec;

typedef struct KeySpecs {
        KeySpec items[KEY_SPEC_MAX];
        size_t n; /* 0: the default one */
} KeySpecs;

enum {
        KEY_SPEC_DONE,
        KEY_SPEC_E_INVALID, /* *ret_why (a static text) says what is wrong */
};

/* Reads the words of MDPrivateKeys: "Default", or any sequence of "RSA [bits]", "RSAbits" and curve names. */
int key_specs_parse(char *const *words, KeySpecs *ret, const char **ret_why);

/* The i-th one; of an empty list the default one. */
size_t key_specs_count(const KeySpecs *specs) _pure_;
KeySpec key_specs_get(const KeySpecs *specs, size_t i);
bool key_spec_equal(const KeySpec *a, const KeySpec *b) _pure_;

/* "rsa" or the curve's text lower-cased: how status pages, the bus and files call it. */
#define KEY_SPEC_NAME_MAX 40
char *key_spec_name(const KeySpec *spec, char buffer[static KEY_SPEC_NAME_MAX]);
/* "privkey.pem" or "privkey.CURVE.pem", the same for "pubcert". 'stem' is "privkey", "pubcert", "fallback-privkey", … */
#define KEY_SPEC_FILE_MAX 80
char *key_spec_file(const KeySpec *spec, const char *stem, char buffer[static KEY_SPEC_FILE_MAX]);

/* mod_md's member "privkey": one object, or an array when there are several; nothing for an empty list. */
int key_specs_to_json(const KeySpecs *specs, JsonObject *o, const char *key);
int key_specs_from_json(JsonObject *o, const char *key, KeySpecs *ret); /* -EBADMSG */
