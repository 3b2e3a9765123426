/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
        READ_STEP = 4096,
};

int fd_write_all(int fd, const void *data, size_t size) {
        const char *p = data;

        assert(data || size == 0);

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        return -EIO;
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

int fd_read_to_end(int fd, size_t max, char **ret_data, size_t *ret_size) {
        _auto_free_ char *data = NULL;
        size_t size = 0, allocated = 0;

        assert(ret_data);

        max = MIN_OF(max, SIZE_MAX / 4);
        for (;;) {
                ssize_t n;

                /* Room for one byte more than what is allowed, or else too much would look like exactly enough. */
                if (allocated - size < 2) {
                        size_t more = MIN_OF(MAX_OF(2 * allocated, (size_t) READ_STEP), max + 2);
                        char *grown = realloc(data, more);

                        if (!grown)
                                return -ENOMEM;
                        data = grown;
                        allocated = more;
                }

                n = read(fd, data + size, allocated - size - 1);
                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > max)
                        return FD_READ_E_TOO_LARGE;
        }

        data[size] = '\0';
        *ret_data = take_ptr(data);
        if (ret_size)
                *ret_size = size;
        return 0;
}
