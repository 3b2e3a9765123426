/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Attributes and the marks by which ownership is handed over. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _pure_ __attribute__((pure))
#define _unused_ __attribute__((unused))
#define _noreturn_ __attribute__((noreturn))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define MIN_OF(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a < _b ? _a : _b; })
#define MAX_OF(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })

/* Hands over what 'p' owns and leaves NULL behind, so that the release helper of 'p' has nothing to do. */
#define take_ptr(p) ({ __typeof__(p) *_p = &(p), _v = *_p; *_p = NULL; _v; })

/* The same for a descriptor; -1 stays behind. */
static inline int take_fd_at(int *fd) {
        int v = *fd;

        *fd = -1;
        return v;
}
#define take_fd(fd) take_fd_at(&(fd))

/* Defines a release helper named '<func>p' for '_cleanup_()', from a destructor that takes NULL. */
#define DEFINE_CLEANUP(type, func)                      \
        static inline void func##p(type *p) {           \
                if (*p)                                 \
                        (void) func(*p);                \
        }
