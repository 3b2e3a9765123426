/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/name-component.h"
#include "base/string-util.h"
#include "base/strv.h"

enum {
        TREE_DEPTH_MAX = 32,
        TREE_ATTEMPTS = 4, /* to empty a directory that somebody else still fills */
};

int dir_open_at(int dir_fd, const char *name, int *ret_fd) {
        int fd;

        assert(ret_fd);

        if (!name_component_is_valid(name))
                return -EINVAL;

        fd = openat(dir_fd, name, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);
        if (fd < 0)
                switch (errno) {
                case ENOENT:
                case ENAMETOOLONG: /* no such directory can be */
                        return DIR_E_NOT_FOUND;
                case ENOTDIR:
                case ELOOP:
                        return DIR_E_NOT_DIRECTORY;
                default:
                        return -errno;
                }
        *ret_fd = fd;
        return 0;
}

int dir_sync(int fd) {
        _auto_close_ int here = -1;

        if (fd == AT_FDCWD) {
                here = open(".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
                if (here < 0)
                        return -errno;
                fd = here;
        }
        /* EINVAL: a file system that has nothing to sync here. */
        if (fsync(fd) < 0 && errno != EINVAL)
                return -errno;
        return 0;
}

static int set_owner_and_mode(int fd, const FileMode *mode) {
        /* The owner first: a change of owner clears mode bits. */
        if ((mode->uid != (uid_t) -1 || mode->gid != (gid_t) -1) && fchown(fd, mode->uid, mode->gid) < 0)
                return -errno;
        if (fchmod(fd, mode->mode) < 0)
                return -errno;
        return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

static int make_temporary(int dir_fd, const char *name, char temporary[static NAME_COMPONENT_SIZE]) {
        for (unsigned attempt = 0; attempt < NAME_COMPONENT_ATTEMPTS; attempt++) {
                int r;

                r = name_component_make_temporary(name, temporary);
                if (r < 0)
                        return r;
                if (mkdirat(dir_fd, temporary, 0700) == 0)
                        return 0;
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

static int rename_noreplace(int from_fd, const char *from, int to_fd, const char *to) {
        struct stat st;

        if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;

        /* A file system that does not know the flag (NFS, older ZFS). Between the look and the rename there is a gap; what it could
         * replace is at most an empty directory. */
        if (fstatat(to_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return -EEXIST;
        if (errno != ENOENT)
                return -errno;
        return renameat(from_fd, from, to_fd, to) < 0 ? -errno : 0;
}

/* The directory gets its name when owner and mode are right, so that a crash does not leave one that nobody puts right. */
static int make(int dir_fd, const char *name, const FileMode *mode, int *ret_fd) {
        char temporary[NAME_COMPONENT_SIZE];
        _auto_close_ int fd = -1;
        int r;

        r = make_temporary(dir_fd, name, temporary);
        if (r < 0)
                return r;
        r = dir_open_at(dir_fd, temporary, &fd);
        if (r > 0)
                r = -ESTALE; /* somebody else is at work here */
        if (r == 0)
                r = set_owner_and_mode(fd, mode);
        if (r == 0)
                r = rename_noreplace(dir_fd, temporary, dir_fd, name);
        if (r < 0) {
                (void) unlinkat(dir_fd, temporary, AT_REMOVEDIR);
                return r;
        }

        r = dir_sync(dir_fd);
        if (r < 0)
                return r;
        *ret_fd = take_fd(fd);
        return 0;
}

int dir_ensure_at(int dir_fd, const char *name, const FileMode *mode, int *ret_fd) {
        _auto_close_ int fd = -1;
        int r;

        assert(mode);

        r = dir_open_at(dir_fd, name, &fd);
        if (r == DIR_E_NOT_FOUND) {
                r = make(dir_fd, name, mode, &fd);
                if (r == -EEXIST)
                        r = dir_open_at(dir_fd, name, &fd);
        }
        if (r != 0)
                return r;
        if (ret_fd)
                *ret_fd = take_fd(fd);
        return 0;
}

int dir_list(int fd, char ***ret_names) {
        _auto_strv_ char **names = NULL;
        _auto_closedir_ DIR *d = NULL;
        size_t n = 0, allocated = 0;
        int own_fd;

        assert(ret_names);

        /* A description of our own, so that the caller's position does not matter. */
        own_fd = openat(fd, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
        if (own_fd < 0)
                return -errno;
        d = fdopendir(own_fd);
        if (!d) {
                int error = errno;

                (void) close(own_fd);
                return -error;
        }

        for (;;) {
                struct dirent *entry;

                errno = 0;
                entry = readdir(d);
                if (!entry && errno != 0)
                        return -errno;
                if (entry && !name_component_is_valid(entry->d_name))
                        continue;

                if (n + 2 > allocated) {
                        char **grown = reallocarray(names, 2 * allocated + 16, sizeof(*grown));

                        if (!grown)
                                return -ENOMEM;
                        names = grown;
                        allocated = 2 * allocated + 16;
                        names[n] = NULL;
                }
                if (!entry)
                        break;
                names[n] = strdup(entry->d_name);
                if (!names[n])
                        return -ENOMEM;
                names[++n] = NULL;
        }

        strv_sort(names);
        *ret_names = take_ptr(names);
        return 0;
}

static int remove_tree(int dir_fd, const char *name, dev_t device, unsigned depth);

static int remove_entry(int fd, const char *name, dev_t device, unsigned depth) {
        int r;

        if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM) /* which of the two depends on the file system */
                return -errno;
        r = remove_tree(fd, name, device, depth);
        if (r == DIR_E_NOT_DIRECTORY) /* it has been exchanged */
                return unlinkat(fd, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
        return r == DIR_E_NOT_FOUND ? 0 : r;
}

static int remove_tree(int dir_fd, const char *name, dev_t device, unsigned depth) {
        _auto_close_ int fd = -1;
        struct stat st;
        int r;

        if (depth >= TREE_DEPTH_MAX)
                return -ELOOP;
        r = dir_open_at(dir_fd, name, &fd);
        if (r != 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (depth > 0 && st.st_dev != device)
                return -EXDEV; /* something is mounted there: not ours */

        for (unsigned attempt = 0; attempt < TREE_ATTEMPTS; attempt++) {
                _auto_strv_ char **names = NULL;

                r = dir_list(fd, &names);
                if (r < 0)
                        return r;
                STRV_FOREACH(entry, names) {
                        r = remove_entry(fd, *entry, st.st_dev, depth + 1);
                        if (r < 0)
                                return r;
                }
                if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                        return 0;
                if (errno == ENOTDIR)
                        return DIR_E_NOT_DIRECTORY; /* exchanged; what we had open is empty */
                if (errno != ENOTEMPTY && errno != EEXIST)
                        return -errno;
        }
        return -ENOTEMPTY;
}

int dir_remove_tree_at(int dir_fd, const char *name) {
        int r;

        r = remove_tree(dir_fd, name, 0, 0);
        return r == 0 ? dir_sync(dir_fd) : r;
}

int dir_rename_at(int from_fd, const char *from, int to_fd, const char *to) {
        int r;

        if (!name_component_is_valid(from) || !name_component_is_valid(to))
                return -EINVAL;

        r = rename_noreplace(from_fd, from, to_fd, to);
        if (r == -ENOENT)
                return DIR_E_NOT_FOUND;
        if (r == -EEXIST || r == -ENOTEMPTY)
                return DIR_E_EXISTS;
        if (r < 0)
                return r;

        /* The new name first: a crash in between leaves the thing twice at most, never nowhere. */
        r = dir_sync(to_fd);
        if (r == 0 && from_fd != to_fd)
                r = dir_sync(from_fd);
        return r;
}
