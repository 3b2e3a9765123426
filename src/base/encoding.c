/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encoding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const char base64url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char hex_alphabet[] = "0123456789abcdef";

/* -1: not of the alphabet. Compares instead of a table, so that the time does not depend on a key's bits through the cache. */
static int base64url_value(char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        if (c == '-')
                return 62;
        if (c == '_')
                return 63;
        return -1;
}

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

char *base64url_encode(const void *data, size_t size) {
        const unsigned char *bytes = data;
        uint32_t bits = 0;
        unsigned n_bits = 0;
        char *s, *end;

        assert(data || size == 0);

        if (size > SIZE_MAX / 2)
                return NULL;
        s = malloc(size / 3 * 4 + 4 + 1);
        if (!s)
                return NULL;
        end = s;
        for (size_t i = 0; i < size; i++) {
                bits = bits << 8 | bytes[i];
                for (n_bits += 8; n_bits >= 6; n_bits -= 6)
                        *end++ = base64url_alphabet[bits >> (n_bits - 6) & 0x3f];
        }
        if (n_bits > 0)
                *end++ = base64url_alphabet[bits << (6 - n_bits) & 0x3f];
        *end = '\0';
        return s;
}

int base64url_decode(const char *s, size_t length, void **ret_data, size_t *ret_size) {
        _auto_free_ unsigned char *data = NULL;
        uint32_t bits = 0;
        unsigned n_bits = 0;
        size_t size = 0;

        assert(s || length == 0);
        assert(ret_data);
        assert(ret_size);

        if (length % 4 == 1)
                return -EBADMSG;
        data = malloc(length / 4 * 3 + 2 + 1);
        if (!data)
                return -ENOMEM;
        for (size_t i = 0; i < length; i++) {
                int value = base64url_value(s[i]);

                if (value < 0)
                        return -EBADMSG;
                bits = bits << 6 | (uint32_t) value;
                n_bits += 6;
                if (n_bits >= 8) {
                        n_bits -= 8;
                        data[size++] = (unsigned char) (bits >> n_bits);
                }
        }
        if ((bits & ((1U << n_bits) - 1)) != 0)
                return -EBADMSG;

        data[size] = '\0';
        *ret_data = take_ptr(data);
        *ret_size = size;
        return 0;
}

bool base64url_is_valid(const char *s) {
        if (!s || !*s)
                return false;
        for (; *s; s++)
                if (base64url_value(*s) < 0)
                        return false;
        return true;
}

char *hex_encode(const void *data, size_t size) {
        const unsigned char *bytes = data;
        char *s;

        assert(data || size == 0);

        if (size > (SIZE_MAX - 1) / 2)
                return NULL;
        s = malloc(2 * size + 1);
        if (!s)
                return NULL;
        for (size_t i = 0; i < size; i++) {
                s[2 * i] = hex_alphabet[bytes[i] >> 4];
                s[2 * i + 1] = hex_alphabet[bytes[i] & 0xf];
        }
        s[2 * size] = '\0';
        return s;
}

int hex_decode(const char *s, void **ret_data, size_t *ret_size) {
        _auto_free_ unsigned char *data = NULL;
        size_t size;

        assert(s);
        assert(ret_data);
        assert(ret_size);

        size = strlen(s);
        if (size % 2 != 0)
                return -EBADMSG;
        size /= 2;
        data = malloc(size + 1);
        if (!data)
                return -ENOMEM;
        for (size_t i = 0; i < size; i++) {
                int high = hex_value(s[2 * i]), low = hex_value(s[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EBADMSG;
                data[i] = (unsigned char) (high << 4 | low);
        }

        data[size] = '\0';
        *ret_data = take_ptr(data);
        *ret_size = size;
        return 0;
}
