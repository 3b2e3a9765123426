/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encoding.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "lib/test.h"

TEST(base64url_vectors) {
        static const struct {
                const char *data, *text;
        } cases[] = { /* RFC 4648 section 10, without the padding */
                { "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" },
                { "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" }, { "foobar", "Zm9vYmFy" },
                { "\xfb\xff\xfe", "-__-" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *text = base64url_encode(cases[i].data, strlen(cases[i].data));
                _auto_free_ void *data = NULL;
                size_t size = 99;

                test_case("%s", cases[i].text);
                CHECK_STR(text, cases[i].text);
                CHECK_INT(base64url_decode(cases[i].text, strlen(cases[i].text), &data, &size), 0);
                CHECK_UINT(size, strlen(cases[i].data));
                CHECK_MEM(data, cases[i].data, size + 1);
        }
}

TEST(base64url_refuses) {
        static const char *const cases[] = {
                "Z", "Zm9vY", "Zg==", "Zm8=", "Zm9v\n", " Zm9v", "Zm+v", "Zm/v", "Zh", "Zm9", "Zm9vYmF\xc3", "Z.9v",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                void *data = (void *) cases;
                size_t size = 99;

                test_case("%s", cases[i]);
                CHECK_INT(base64url_decode(cases[i], strlen(cases[i]), &data, &size), -EBADMSG);
                CHECK(data == (void *) cases);
                CHECK_UINT(size, 99);
        }
        CHECK_INT(base64url_decode("Zm\0v", 4, &(void *) { NULL }, &(size_t) { 0 }), -EBADMSG);
}

TEST(round_trips) {
        unsigned char bytes[256];

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (unsigned char) (i * 167 + 13);
        for (size_t size = 0; size <= sizeof(bytes); size++) {
                _auto_free_ char *text = base64url_encode(bytes, size), *hex = hex_encode(bytes, size);
                _auto_free_ void *data = NULL, *from_hex = NULL;
                size_t got = 0;

                test_case("%zu bytes", size);
                REQUIRE(text && hex);
                CHECK_INT(base64url_decode(text, strlen(text), &data, &got), 0);
                CHECK_UINT(got, size);
                CHECK_MEM(data, bytes, size);
                CHECK_INT(hex_decode(hex, &from_hex, &got), 0);
                CHECK_UINT(got, size);
                CHECK_MEM(from_hex, bytes, size);
        }
}

TEST(base64url_alphabet) {
        CHECK(base64url_is_valid("AZaz09-_"));
        CHECK(!base64url_is_valid(""));
        CHECK(!base64url_is_valid(NULL));
        CHECK(!base64url_is_valid("ab/c"));
        CHECK(!base64url_is_valid("ab+c"));
        CHECK(!base64url_is_valid("abc="));
        CHECK(!base64url_is_valid("../x"));
}

TEST(hex) {
        _auto_free_ char *text = hex_encode("\x00\x7f\xff", 3), *nothing = hex_encode(NULL, 0);
        _auto_free_ void *data = NULL;
        void *untouched = &data;
        size_t size = 99;

        CHECK_STR(text, "007fff");
        CHECK_STR(nothing, "");
        CHECK_INT(hex_decode("00aBfF", &data, &size), 0);
        CHECK_UINT(size, 3);
        CHECK_MEM(data, "\x00\xab\xff", 4);

        CHECK_INT(hex_decode("0", &untouched, &size), -EBADMSG);
        CHECK_INT(hex_decode("0g", &untouched, &size), -EBADMSG);
        CHECK_INT(hex_decode("0x", &untouched, &size), -EBADMSG);
        CHECK_INT(hex_decode(" 00 ", &untouched, &size), -EBADMSG);
        CHECK(untouched == &data);
        CHECK_UINT(size, 3);
}
