/* SPDX-License-Identifier: Apache-2.0 */
#include "base/name-component.h"

#include <errno.h>
#include <string.h>

#include "base/random.h"
#include "base/string-util.h"

enum {
        RANDOM_LENGTH = 6,
};

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";

bool name_component_is_valid(const char *name) {
        return !str_is_empty(name) && !str_equal(name, ".") && !str_equal(name, "..") && !strchr(name, '/');
}

int name_component_make_temporary(const char *name, char ret[static NAME_COMPONENT_SIZE]) {
        uint64_t random = random_number(); /* exclusive creation is what makes it safe */
        char *end;

        assert(name);

        if (strlen(name) + 2 + RANDOM_LENGTH > NAME_MAX)
                return -ENAMETOOLONG;

        end = ret;
        *end++ = '.';
        end = stpcpy(end, name);
        *end++ = '.';
        for (unsigned i = 0; i < RANDOM_LENGTH; i++) {
                *end++ = alphabet[random % strlen(alphabet)];
                random /= strlen(alphabet);
        }
        *end = '\0';
        return 0;
}

bool name_component_is_temporary(const char *name) {
        size_t length;

        if (!name)
                return false;
        length = strlen(name);
        return length > 2 + RANDOM_LENGTH && name[0] == '.' && name[length - RANDOM_LENGTH - 1] == '.' &&
                strspn(name + length - RANDOM_LENGTH, alphabet) == RANDOM_LENGTH;
}
