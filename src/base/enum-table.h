/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Enums to and from strings, by a table: DEFINE_ENUM_TABLE(renew_mode, RenewMode) defines
 *   const char *renew_mode_to_string(RenewMode v);             NULL: no such value
 *   int renew_mode_from_string(const char *s, RenewMode *ret); -EINVAL: no such word
 * from 'static const char *const renew_mode_table[]' above it. */

#include <errno.h>

#include "base/string-util.h"

#define DECLARE_ENUM_TABLE(name, type)          \
        const char *name##_to_string(type v);   \
        int name##_from_string(const char *s, type *ret)

#define DEFINE_ENUM_TABLE(name, type)                                           \
        const char *name##_to_string(type v) {                                  \
                if ((size_t) v >= ELEMENTSOF(name##_table))                     \
                        return NULL;                                            \
                return name##_table[v];                                         \
        }                                                                       \
        int name##_from_string(const char *s, type *ret) {                      \
                for (size_t i = 0; s && i < ELEMENTSOF(name##_table); i++)      \
                        if (str_equal(name##_table[i], s)) {                    \
                                *ret = (type) i;                                \
                                return 0;                                       \
                        }                                                       \
                return -EINVAL;                                                 \
        }
