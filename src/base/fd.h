/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Descriptors: whole reads and writes. */

#include "base/macro.h"

int fd_write_all(int fd, const void *data, size_t size);

enum {
        FD_READ_DONE,
        FD_READ_E_TOO_LARGE,
};

/* Reads to the end of file; more than 'max' bytes is an outcome. The result is followed by a NUL byte that is not counted. */
int fd_read_to_end(int fd, size_t max, char **ret_data, size_t *ret_size);
