/* SPDX-License-Identifier: Apache-2.0 */
#include "targets/confine.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "targets/place.h"

/* What replacing a file takes. */
#define REPLACING (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG)

/* Of later versions, and not known to older headers. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

/* What is given up elsewhere; the first version of the interface has all of these. */
#define CHANGING                                                                                                                                        \
        (REPLACING | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |           \
         LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* Truncating a file by its name is no writing to Landlock, and cannot be given up before version 3. */
static uint64_t given_up(void) {
        long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

        return CHANGING | (version >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0) | (version >= 5 ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0);
}

static int make_ruleset(int *ret_fd) {
        const struct landlock_ruleset_attr attributes = { .handled_access_fs = given_up() };
        long fd = syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);

        if (fd < 0)
                return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? CONFINE_E_UNSUPPORTED : -errno; /* a container may forbid it */
        *ret_fd = (int) fd;
        return 0;
}

static int allow(int ruleset_fd, int dir_fd) {
        const struct landlock_path_beneath_attr rule = { .allowed_access = REPLACING, .parent_fd = dir_fd };

        return syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

/* A place that cannot be opened is told when it is to be written to. */
static int allow_places(int ruleset_fd, const Target *t) {
        for (size_t i = 0; !t->refused && i < _TARGET_FORMAT_MAX; i++) {
                _cleanup_(place_done) Place place = PLACE_INIT;
                int r;

                if (t->files[i].line == 0 || place_open(&t->files[i], &place, NULL) < 0)
                        continue;
                r = allow(ruleset_fd, place.dir_fd);
                if (r < 0)
                        return r;
        }
        return 0;
}

int confine_to(const Targets *targets, int more_fd) {
        _auto_close_ int fd = -1;
        int r;

        assert(targets);
        assert(more_fd >= 0);

        r = make_ruleset(&fd);
        if (r == 0)
                r = allow(fd, more_fd);
        for (size_t i = 0; r == 0 && i < targets->n; i++)
                r = allow_places(fd, targets->items[i]);
        if (r != 0)
                return r;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
                return -errno;
        return 0;
}
