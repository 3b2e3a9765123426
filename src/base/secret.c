/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

Secret *secret_new_empty(size_t size) {
        Secret *s;

        if (size == SIZE_MAX)
                return NULL;
        s = calloc(1, sizeof(*s));
        if (!s)
                return NULL;
        s->data = calloc(1, size + 1);
        if (!s->data) {
                free(s);
                return NULL;
        }
        s->size = size;
        return s;
}

Secret *secret_new(const void *data, size_t size) {
        Secret *s;

        assert(data || size == 0);

        s = secret_new_empty(size);
        if (s && size > 0)
                memcpy(s->data, data, size);
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
