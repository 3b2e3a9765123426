/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rename.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/dir.h"
#include "store/internal.h"
#include "store/lock.h"

static bool is_there(int dir_fd, const char *name) {
        struct stat st;

        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What lies there under the new name is older, or from a first try. */
static int rename_in(Store *s, const char *directory, const char *from, const char *to) {
        _auto_close_ int fd = -1;
        int r;

        r = store_open_writable(s, directory, (gid_t) -1, &fd);
        if (r != 0)
                return r < 0 ? r : 0;
        if (!is_there(fd, from))
                return 0;
        r = store_remove_at(fd, to);
        if (r == 0)
                r = dir_rename_at(fd, from, fd, to);
        return r <= 0 ? r : -EIO;
}

static int rename_live(int domains_fd, const char *from, const char *to) {
        int r = dir_rename_at(domains_fd, from, domains_fd, to);

        if (r == DIR_E_EXISTS)
                return STORE_RENAME_E_EXISTS;
        return r <= 0 ? r : STORE_RENAME_E_NOT_FOUND;
}

int store_rename(Store *s, const char *from, const char *to) {
        _auto_close_ int domains_fd = -1, lock_fd = -1;
        int r;

        assert(s);

        if (!store_name_is_valid(from) || !store_name_is_valid(to))
                return STORE_RENAME_E_NOT_FOUND;
        r = store_open_writable(s, STORE_DOMAINS, (gid_t) -1, &domains_fd);
        if (r != 0)
                return r < 0 ? r : STORE_RENAME_E_NOT_FOUND;
        if (!is_there(domains_fd, from))
                return STORE_RENAME_E_NOT_FOUND;
        if (is_there(domains_fd, to))
                return STORE_RENAME_E_EXISTS;

        r = store_lock_exclusive(s, &lock_fd);
        if (r != 0)
                return r < 0 ? r : STORE_RENAME_E_BUSY;
        r = rename_in(s, STORE_STAGING, from, to);
        store_step(s, "staging renamed");
        if (r == 0)
                r = rename_in(s, STORE_RESERVE, from, to);
        store_step(s, "reserve renamed");
        if (r == 0)
                r = rename_in(s, STORE_OUTBOX, from, to);
        return r == 0 ? rename_live(domains_fd, from, to) : r;
}
