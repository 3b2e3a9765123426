/* SPDX-License-Identifier: Apache-2.0 */
#include "base/key-spec.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "lib/test.h"

static int parse(const char *text, KeySpecs *ret, const char **ret_why) {
        _auto_strv_ char **words = strv_split(text, " ");

        return key_specs_parse(words, ret, ret_why);
}

/* The JSON that a list makes; the caller frees it. */
static char *to_json(const KeySpecs *specs) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (key_specs_to_json(specs, o, "privkey") != 0)
                return NULL;
        return json_format_short(o);
}

TEST(parse_and_json) {
        static const struct {
                const char *text, *json;
                size_t n;
        } cases[] = {
                { "Default", "{\"privkey\":{\"type\":\"Default\"}}", 1 },
                { "default", "{\"privkey\":{\"type\":\"Default\"}}", 1 },
                { "RSA", "{\"privkey\":{\"type\":\"RSA\",\"bits\":2048}}", 1 },
                { "rsa 3072", "{\"privkey\":{\"type\":\"RSA\",\"bits\":3072}}", 1 },
                { "RSA4096", "{\"privkey\":{\"type\":\"RSA\",\"bits\":4096}}", 1 },
                { "RSA 16384", "{\"privkey\":{\"type\":\"RSA\",\"bits\":16384}}", 1 },
                { "P-256", "{\"privkey\":{\"type\":\"EC\",\"curve\":\"P-256\"}}", 1 },
                { "RSA secp384r1", "{\"privkey\":[{\"type\":\"RSA\",\"bits\":2048},{\"type\":\"EC\",\"curve\":\"secp384r1\"}]}",
                  2 },
                { "P-256 RSA 3072 X25519",
                  "{\"privkey\":[{\"type\":\"EC\",\"curve\":\"P-256\"},{\"type\":\"RSA\",\"bits\":3072},{\"type\":\"EC\",\"curve\":"
                  "\"X25519\"}]}",
                  3 },
                { "P-256 secp256r1",
                  "{\"privkey\":[{\"type\":\"EC\",\"curve\":\"P-256\"},{\"type\":\"EC\",\"curve\":\"secp256r1\"}]}", 2 },
                { "a b c d e f g RSA",
                  "{\"privkey\":[{\"type\":\"EC\",\"curve\":\"a\"},{\"type\":\"EC\",\"curve\":\"b\"},{\"type\":\"EC\",\"curve\":"
                  "\"c\"},"
                  "{\"type\":\"EC\",\"curve\":\"d\"},{\"type\":\"EC\",\"curve\":\"e\"},{\"type\":\"EC\",\"curve\":\"f\"},"
                  "{\"type\":\"EC\",\"curve\":\"g\"},{\"type\":\"RSA\",\"bits\":2048}]}",
                  8 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_json_ JsonObject *o = NULL;
                _auto_free_ char *text = NULL;
                KeySpecs specs = {}, again = {};
                const char *why = NULL;

                test_case("%s", cases[i].text);
                CHECK_INT(parse(cases[i].text, &specs, &why), KEY_SPEC_DONE);
                CHECK(why == NULL);
                CHECK_UINT(specs.n, cases[i].n);
                text = to_json(&specs);
                CHECK_STR(text, cases[i].json);

                REQUIRE(text && json_parse(text, strlen(text), &o, NULL) == 0);
                CHECK_INT(key_specs_from_json(o, "privkey", &again), 0);
                REQUIRE(CHECK_UINT(again.n, specs.n));
                for (size_t k = 0; k < specs.n; k++) {
                        CHECK(again.items[k].type == specs.items[k].type);
                        CHECK(key_spec_equal(&again.items[k], &specs.items[k]));
                }
        }
}

TEST(parse_refuses) {
        static const char *const cases[] = {
                "",
                "Default RSA",
                "RSA Default",
                "Default Default",
                "RSA 2047",
                "RSA 1024",
                "RSA0",
                "RSA 16385",
                "RSA 4294967296",
                "RSA 99999999999999999999",
                "RSA 2048x",
                "RSAx",
                "RSA-2048",
                "RSA RSA",
                "RSA 2048 RSA 4096",
                "RSA2048 RSA",
                "P-256 p-256",
                "2048",
                "P-256 256",
                "../x",
                "a/b",
                "a.b",
                ".",
                "-x",
                "a\\b",
                "curve\x80",
                "abcdefghijklmnopqrstuvwxyz0123456789",
                "a b c d e f g h i",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                KeySpecs specs = { .n = 5 };
                const char *why = NULL;

                test_case("'%s'", cases[i]);
                CHECK_INT(parse(cases[i], &specs, &why), KEY_SPEC_E_INVALID);
                CHECK(why != NULL);
                CHECK_UINT(specs.n, 5);
        }
        CHECK_INT(key_specs_parse(NULL, &(KeySpecs){}, &(const char *){ NULL }), KEY_SPEC_E_INVALID);
}

TEST(empty_list_is_the_default) {
        KeySpecs specs = {};
        KeySpec first;
        _auto_free_ char *text = to_json(&specs);

        CHECK_STR(text, "{}");
        CHECK_UINT(key_specs_count(&specs), 1);
        first = key_specs_get(&specs, 0);
        CHECK(first.type == KEY_TYPE_DEFAULT);
        CHECK_UINT(first.bits, 2048);
}

TEST(equality) {
        static const struct {
                KeySpec a, b;
                bool equal;
        } cases[] = {
                { { .type = KEY_TYPE_DEFAULT }, { .type = KEY_TYPE_DEFAULT }, true },
                { { .type = KEY_TYPE_DEFAULT }, { .type = KEY_TYPE_RSA, .bits = 2048 }, true },
                { { .type = KEY_TYPE_DEFAULT }, { .type = KEY_TYPE_RSA, .bits = 4096 }, false },
                { { .type = KEY_TYPE_RSA, .bits = 3072 }, { .type = KEY_TYPE_RSA, .bits = 3072 }, true },
                { { .type = KEY_TYPE_RSA, .bits = 3072 }, { .type = KEY_TYPE_RSA, .bits = 4096 }, false },
                { { .type = KEY_TYPE_EC, .curve = "P-256" }, { .type = KEY_TYPE_EC, .curve = "p-256" }, true },
                { { .type = KEY_TYPE_EC, .curve = "P-256" }, { .type = KEY_TYPE_EC, .curve = "secp256r1" }, false },
                { { .type = KEY_TYPE_EC, .curve = "P-256" }, { .type = KEY_TYPE_RSA, .bits = 2048 }, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("row %zu", i);
                CHECK(key_spec_equal(&cases[i].a, &cases[i].b) == cases[i].equal);
                CHECK(key_spec_equal(&cases[i].b, &cases[i].a) == cases[i].equal);
        }
}

TEST(names_and_files) {
        static const struct {
                KeySpec spec;
                const char *name, *privkey, *pubcert;
        } cases[] = {
                { { .type = KEY_TYPE_DEFAULT }, "rsa", "privkey.pem", "pubcert.pem" },
                { { .type = KEY_TYPE_RSA, .bits = 4096 }, "rsa", "privkey.pem", "pubcert.pem" },
                { { .type = KEY_TYPE_EC, .curve = "P-256" }, "p-256", "privkey.p-256.pem", "pubcert.p-256.pem" },
                { { .type = KEY_TYPE_EC, .curve = "secp384r1" }, "secp384r1", "privkey.secp384r1.pem", "pubcert.secp384r1.pem" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char name[KEY_SPEC_NAME_MAX], file[KEY_SPEC_FILE_MAX];

                CHECK_STR(key_spec_name(&cases[i].spec, name), cases[i].name);
                CHECK_STR(key_spec_file(&cases[i].spec, "privkey", file), cases[i].privkey);
                CHECK_STR(key_spec_file(&cases[i].spec, "pubcert", file), cases[i].pubcert);
        }
}

TEST(longest_curve_fits_a_file_name) {
        KeySpec spec = { .type = KEY_TYPE_EC, .curve = "abcdefghijklmnopqrstuvwxyz01234" };
        char file[KEY_SPEC_FILE_MAX];

        CHECK_STR(key_spec_file(&spec, "fallback-privkey", file), "fallback-privkey.abcdefghijklmnopqrstuvwxyz01234.pem");
}

TEST(json_of_others) {
        static const struct {
                const char *json;
                int result;
                size_t n;
        } cases[] = {
                { "{}", 0, 0 },
                { "{\"privkey\":[]}", 0, 0 },
                { "{\"privkey\":{\"type\":\"RSA\"}}", 0, 1 },
                { "{\"privkey\":[{\"type\":\"RSA\",\"bits\":4096}]}", 0, 1 },
                { "{\"privkey\":null}", -EBADMSG, 0 },
                { "{\"privkey\":\"RSA\"}", -EBADMSG, 0 },
                { "{\"privkey\":{}}", -EBADMSG, 0 },
                { "{\"privkey\":{\"type\":\"DSA\"}}", -EBADMSG, 0 },
                { "{\"privkey\":{\"type\":7}}", -EBADMSG, 0 },
                { "{\"privkey\":{\"type\":\"RSA\",\"bits\":1024}}", -EBADMSG, 0 },
                { "{\"privkey\":{\"type\":\"RSA\",\"bits\":-1}}", -EBADMSG, 0 },
                { "{\"privkey\":{\"type\":\"RSA\",\"bits\":\"2048\"}}", -EBADMSG, 0 },
                { "{\"privkey\":{\"type\":\"RSA\",\"bits\":4294969344}}", -EBADMSG, 0 },
                { "{\"privkey\":{\"type\":\"EC\"}}", -EBADMSG, 0 },
                { "{\"privkey\":{\"type\":\"EC\",\"curve\":\"\"}}", -EBADMSG, 0 },
                { "{\"privkey\":{\"type\":\"EC\",\"curve\":\"../../etc/passwd\"}}", -EBADMSG, 0 },
                { "{\"privkey\":{\"type\":\"EC\",\"curve\":\"rsa\"}}", -EBADMSG, 0 },
                { "{\"privkey\":{\"type\":\"EC\",\"curve\":\"P-256\\u0000x\"}}", -EBADMSG, 0 },
                { "{\"privkey\":[{\"type\":\"RSA\"},{\"type\":\"Default\"}]}", -EBADMSG, 0 },
                { "{\"privkey\":[{\"type\":\"EC\",\"curve\":\"a\"},{\"type\":\"EC\",\"curve\":\"A\"}]}", -EBADMSG, 0 },
                { "{\"privkey\":[7]}", -EBADMSG, 0 },
                { "{\"privkey\":[null]}", -EBADMSG, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_json_ JsonObject *o = NULL;
                KeySpecs specs = { .n = 3 };

                test_case("%s", cases[i].json);
                REQUIRE(json_parse(cases[i].json, strlen(cases[i].json), &o, NULL) == 0);
                CHECK_INT(key_specs_from_json(o, "privkey", &specs), cases[i].result);
                CHECK_UINT(specs.n, cases[i].result == 0 ? cases[i].n : 3);
        }
}
