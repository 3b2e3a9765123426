/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/name-component.h"
#include "base/string-util.h"

int file_read_at(int dir_fd, const char *name, size_t max, char **ret_data, size_t *ret_size) {
        _auto_close_ int fd = -1;
        struct stat st;
        int r;

        assert(ret_data);

        if (!name_component_is_valid(name))
                return -EINVAL;

        /* O_NONBLOCK: whoever put a FIFO there does not make us wait. */
        fd = openat(dir_fd, name, O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);
        if (fd < 0)
                switch (errno) {
                case ENOENT:
                case ENAMETOOLONG: /* no such file can be */
                        return FILE_E_NOT_FOUND;
                case ELOOP:
                case ENXIO:
                case ENODEV:
                        return FILE_E_NOT_REGULAR;
                default:
                        return -errno;
                }
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return FILE_E_NOT_REGULAR;
        if (st.st_size > 0 && (uint64_t) st.st_size > max)
                return FILE_E_TOO_LARGE;

        r = fd_read_to_end(fd, max, ret_data, ret_size);
        return r == FD_READ_E_TOO_LARGE ? FILE_E_TOO_LARGE : r;
}

static int write_whole(int fd, const void *data, size_t size, const FileMode *mode, bool durable) {
        int r;

        r = fd_write_all(fd, data, size);
        if (r < 0)
                return r;
        /* The owner first: a change of owner clears mode bits. */
        if ((mode->uid != (uid_t) -1 || mode->gid != (gid_t) -1) && fchown(fd, mode->uid, mode->gid) < 0)
                return -errno;
        if (fchmod(fd, mode->mode) < 0)
                return -errno;
        return durable && fsync(fd) < 0 ? -errno : 0;
}

static int create_temporary(int dir_fd, const char *name, char temporary[static NAME_COMPONENT_SIZE], int *ret_fd) {
        for (unsigned attempt = 0; attempt < NAME_COMPONENT_ATTEMPTS; attempt++) {
                int fd, r;

                r = name_component_make_temporary(name, temporary);
                if (r < 0)
                        return r;
                fd = openat(dir_fd, temporary, O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600);
                if (fd >= 0) {
                        *ret_fd = fd;
                        return 0;
                }
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

typedef struct Replacement {
        int dir_fd;
        const char *name, *stem; /* of the temporary name */
        const void *data;
        size_t size;
        const FileMode *mode;
        bool durable;
} Replacement;

static int replace_at(const Replacement *new) {
        char temporary[NAME_COMPONENT_SIZE];
        _auto_close_ int fd = -1;
        int r;

        assert(new->data || new->size == 0);
        assert(new->mode);

        if (!name_component_is_valid(new->name))
                return -EINVAL;

        r = create_temporary(new->dir_fd, new->stem, temporary, &fd);
        if (r < 0)
                return r;
        r = write_whole(fd, new->data, new->size, new->mode, new->durable);
        (void) close(take_fd(fd)); /* under the temporary name: whoever watches the directory is told of one change, the rename */
        if (r == 0 && renameat(new->dir_fd, temporary, new->dir_fd, new->name) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlinkat(new->dir_fd, temporary, 0);
                return r;
        }
        return new->durable ? dir_sync(new->dir_fd) : 0;
}

int file_replace_at(int dir_fd, const char *name, const void *data, size_t size, const FileMode *mode) {
        return replace_at(&(const Replacement){ dir_fd, name, name, data, size, mode, true });
}

int file_replace_derived_at(int dir_fd, const char *name, const void *data, size_t size, const FileMode *mode) {
        return replace_at(&(const Replacement){ dir_fd, name, name, data, size, mode, false });
}

int file_replace_marked_at(int dir_fd, const char *name, const char *mark, const void *data, size_t size, const FileMode *mode) {
        _auto_free_ char *stem = str_printf("%s.%s", str_or(name, ""), mark);

        return stem ? replace_at(&(const Replacement){ dir_fd, name, stem, data, size, mode, true }) : -ENOMEM;
}

int file_remove_at(int dir_fd, const char *name) {
        if (!name_component_is_valid(name))
                return -EINVAL;

        if (unlinkat(dir_fd, name, 0) < 0)
                switch (errno) {
                case ENOENT:
                case ENAMETOOLONG:
                        return FILE_E_NOT_FOUND;
                case EISDIR:
                        return FILE_E_NOT_REGULAR;
                default:
                        return -errno;
                }
        return dir_sync(dir_fd);
}

bool file_is_temporary_name(const char *name) {
        return name_component_is_temporary(name);
}

bool file_is_marked_temporary_name(const char *temporary, const char *name, const char *mark) {
        const char *rest = temporary && temporary[0] == '.' ? str_after_prefix(temporary + 1, name) : NULL;

        rest = rest && *rest == '.' ? str_after_prefix(rest + 1, mark) : NULL;
        return rest && *rest == '.' && strchr(rest + 1, '.') == NULL && name_component_is_temporary(temporary);
}
