/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/internal.h"

enum {
        LOCK_TRIES = 40,
        LOCK_STEP_MSEC = 5,
};

/* Somebody may have deleted the file after we opened it: then the other side locks another one. */
static bool is_current(int dir_fd, int fd) {
        struct stat ours, there;

        return fstat(fd, &ours) == 0 && fstatat(dir_fd, STORE_LOCK, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
               ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static int try_lock(int dir_fd, int fd, int operation) {
        int r;

        do
                r = flock(fd, operation | LOCK_NB);
        while (r < 0 && errno == EINTR);

        if (r < 0)
                return errno == EWOULDBLOCK ? STORE_LOCK_E_BUSY : -errno;
        return is_current(dir_fd, fd) ? 0 : STORE_LOCK_E_BUSY;
}

/* The manager reads it through the group of servers/. */
static int open_for_server(int dir_fd, int *ret_fd) {
        _auto_close_ int fd = -1;
        struct stat directory, st;

        fd = openat(dir_fd, STORE_LOCK, O_RDONLY|O_CREAT|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC, 0640);
        if (fd < 0)
                return -errno;
        if (fstat(dir_fd, &directory) < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADF;
        if (st.st_gid != directory.st_gid && fchown(fd, (uid_t) -1, directory.st_gid) < 0)
                return -errno;
        if ((st.st_mode & 07777) != 0640 && fchmod(fd, 0640) < 0)
                return -errno;

        *ret_fd = take_fd(fd);
        return 0;
}

static int done_without(int *ret_fd) {
        *ret_fd = -1;
        return 0;
}

/* servers/ is not made here: its group, through which the manager reads, comes with the first snapshot. */
static int open_servers(Store *s, int *ret_fd) {
        _auto_close_ int fd = -1;
        int r;

        r = store_open_dir(s, STORE_SERVERS, &fd);
        if (r != 0)
                return r;
        return store_open_writable(s, STORE_SERVERS, (gid_t) -1, ret_fd);
}

int store_lock_shared(Store *s, int *ret_fd) {
        _auto_close_ int dir_fd = -1;
        int r;

        assert(s);
        assert(ret_fd);

        r = open_servers(s, &dir_fd);
        if (r != 0)
                return r < 0 ? r : done_without(ret_fd);

        for (unsigned i = 0; i < LOCK_TRIES; i++) {
                static const struct timespec step = { .tv_nsec = LOCK_STEP_MSEC * 1000000L };
                _auto_close_ int fd = -1;

                r = open_for_server(dir_fd, &fd);
                if (r < 0)
                        return r;

                r = try_lock(dir_fd, fd, LOCK_SH);
                if (r == 0)
                        *ret_fd = take_fd(fd);
                if (r != STORE_LOCK_E_BUSY)
                        return r;

                (void) nanosleep(&step, NULL);
        }

        return STORE_LOCK_E_BUSY;
}

int store_lock_exclusive(Store *s, int *ret_fd) {
        _auto_close_ int dir_fd = -1, fd = -1;
        int r;

        assert(s);
        assert(ret_fd);

        r = store_open_dir(s, STORE_SERVERS, &dir_fd);
        if (r < 0)
                return r;
        if (r > 0)
                return done_without(ret_fd);

        fd = openat(dir_fd, STORE_LOCK, O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? done_without(ret_fd) : -errno;

        r = try_lock(dir_fd, fd, LOCK_EX);
        if (r == 0)
                *ret_fd = take_fd(fd);
        return r;
}
