/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

Secret *secret_new(const void *data, size_t size) {
        Secret *s;

        assert(data || size == 0);

        if (size == SIZE_MAX)
                return NULL;
        s = calloc(1, sizeof(*s));
        if (!s)
                return NULL;
        s->data = malloc(size + 1);
        if (!s->data) {
                free(s);
                return NULL;
        }
        if (size > 0)
                memcpy(s->data, data, size);
        s->data[size] = '\0';
        s->size = size;
        return s;
}

Secret *secret_free(Secret *s) {
        if (!s)
                return NULL;

        if (s->data)
                secret_wipe(s->data, s->size);
        free(s->data);
        free(s);
        return NULL;
}

void secret_wipe(void *data, size_t size) {
        if (size > 0)
                explicit_bzero(data, size);
}
