/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        ALLOCATION_MIN = 64,
};

void buffer_done(Buffer *b) {
        assert(b);

        free(b->data);
        *b = BUFFER_INIT(b->max);
}

void buffer_clear(Buffer *b) {
        assert(b);

        b->size = 0;
        if (b->data)
                b->data[0] = '\0';
}

/* Makes room for 'size' more bytes and the NUL byte behind them. */
static int reserve(Buffer *b, size_t size) {
        size_t needed, allocated;
        char *data;

        if (size > b->max - b->size)
                return BUFFER_E_TOO_LARGE;
        if (b->size + size == SIZE_MAX)
                return -ENOMEM;

        needed = b->size + size + 1;
        if (needed <= b->allocated)
                return 0;

        allocated = MAX_OF(needed, (size_t) ALLOCATION_MIN);
        if (b->allocated < SIZE_MAX / 2)
                allocated = MAX_OF(allocated, b->allocated * 2);
        data = realloc(b->data, allocated);
        if (!data)
                return -ENOMEM;
        b->data = data;
        b->allocated = allocated;
        b->data[b->size] = '\0';
        return 0;
}

int buffer_append(Buffer *b, const void *data, size_t size) {
        int r;

        assert(b);
        assert(data || size == 0);

        r = reserve(b, size);
        if (r != 0 || size == 0)
                return r;

        memcpy(b->data + b->size, data, size);
        b->size += size;
        b->data[b->size] = '\0';
        return 0;
}

int buffer_append_string(Buffer *b, const char *s) {
        assert(s);

        return buffer_append(b, s, strlen(s));
}

int buffer_printf(Buffer *b, const char *format, ...) {
        va_list args;
        int length, r;

        assert(b);
        assert(format);

        va_start(args, format);
        length = vsnprintf(NULL, 0, format, args);
        va_end(args);
        if (length < 0)
                return -EINVAL;

        r = reserve(b, (size_t) length);
        if (r != 0)
                return r;

        va_start(args, format);
        (void) vsnprintf(b->data + b->size, (size_t) length + 1, format, args);
        va_end(args);
        b->size += (size_t) length;
        return 0;
}

char *buffer_take(Buffer *b, size_t *ret_size) {
        size_t size;
        char *data;

        assert(b);

        size = b->size;
        data = b->data ? b->data : calloc(1, 1);
        if (!data)
                return NULL;

        *b = BUFFER_INIT(b->max);
        if (ret_size)
                *ret_size = size;
        return data;
}
