/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Growable bytes with a ceiling that is fixed at creation; always followed by a NUL byte that is not counted. */

#include "base/macro.h"

typedef struct Buffer {
        char *data; /* NULL while empty */
        size_t size;
        size_t allocated;
        size_t max;
} Buffer;

enum {
        BUFFER_DONE,
        BUFFER_E_TOO_LARGE, /* the ceiling would be passed; the buffer is unchanged */
};

#define BUFFER_INIT(ceiling) ((Buffer){ .max = (ceiling) })

void buffer_done(Buffer *b);
void buffer_clear(Buffer *b); /* keeps the memory */

int buffer_append(Buffer *b, const void *data, size_t size);
int buffer_append_string(Buffer *b, const char *s);
int buffer_printf(Buffer *b, const char *format, ...) _printf_(2, 3);

/* Hands over the bytes, NUL-terminated; an empty buffer gives an empty string. NULL: out of memory. */
char *buffer_take(Buffer *b, size_t *ret_size);

#define _auto_buffer_ _cleanup_(buffer_done)
