/* SPDX-License-Identifier: Apache-2.0 */
#include "store/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "store/internal.h"

#define SUFFIX ".json"

static char *file_name(const char *id) {
        return str_printf("%s" SUFFIX, id);
}

/* A file that the manager may not read is as good as none. */
static bool stands_there(int dir_fd, const char *file, const Snapshot *snapshot, gid_t group) {
        _auto_free_ char *stored = NULL;
        struct stat st;
        size_t size = 0;

        if (fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                return false;
        if (st.st_uid != geteuid() || (group != (gid_t) -1 && st.st_gid != group) || (st.st_mode & 07777) != 0640)
                return false;

        return store_read_text(dir_fd, file, SNAPSHOT_SIZE_MAX, &stored, &size) == 0 && snapshot_text_is_current(stored, size, snapshot);
}

static int write_snapshot(Store *s, const Snapshot *snapshot, gid_t group, bool anew) {
        const FileMode mode = { .mode = 0640, .uid = (uid_t) -1, .gid = group };
        _auto_free_ char *file = NULL, *text = NULL;
        _auto_close_ int dir_fd = -1;
        int r;

        assert(s);
        assert(snapshot);

        if (!snapshot_id_is_valid(snapshot->id))
                return -EINVAL;

        r = store_open_writable(s, STORE_SERVERS, group, &dir_fd);
        if (r != 0)
                return r < 0 ? r : STORE_SNAPSHOT_E_NOT_FOUND;

        file = file_name(snapshot->id);
        if (!file)
                return -ENOMEM;
        if (!anew && stands_there(dir_fd, file, snapshot, group))
                return STORE_SNAPSHOT_UNCHANGED;

        text = snapshot_format_written(snapshot);
        if (!text)
                return -ENOMEM;
        if (strlen(text) > SNAPSHOT_SIZE_MAX)
                return -EFBIG;
        return file_replace_at(dir_fd, file, text, strlen(text), &mode);
}

int store_snapshot_write(Store *s, const Snapshot *snapshot, gid_t group) {
        return write_snapshot(s, snapshot, group, false);
}

int store_snapshot_write_anew(Store *s, const Snapshot *snapshot, gid_t group) {
        return write_snapshot(s, snapshot, group, true);
}

int store_snapshot_list(Store *s, char ***ret_ids) {
        _auto_strv_ char **names = NULL, **ids = NULL;
        _auto_close_ int dir_fd = -1;
        int r;

        assert(s);
        assert(ret_ids);

        r = store_open_dir(s, STORE_SERVERS, &dir_fd);
        if (r != 0)
                return r < 0 ? r : STORE_SNAPSHOT_E_NOT_FOUND;
        r = dir_list(dir_fd, &names);
        if (r != 0)
                return r;

        STRV_FOREACH(name, names) {
                if (!str_has_suffix(*name, SUFFIX))
                        continue;
                (*name)[strlen(*name) - strlen(SUFFIX)] = '\0';
                if (!snapshot_id_is_valid(*name))
                        continue;
                r = strv_extend(&ids, *name);
                if (r < 0)
                        return r;
        }
        if (ids)
                strv_sort(ids); /* without the suffix the order can be another */

        *ret_ids = take_ptr(ids);
        return 0;
}

static const char *find_fault(const struct stat *st) {
        if (!S_ISREG(st->st_mode))
                return "it is not a regular file";
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return "it does not belong to root";
        if (st->st_mode & 022)
                return "others than root may write to it";
        if (st->st_size > SNAPSHOT_SIZE_MAX)
                return "it is too large";
        return NULL;
}

static int refuse(const Store *s, const char *id, const char *why, Problem **ret_problem) {
        problem_set(ret_problem, PROBLEM_TYPE_STORE, "%s/" STORE_SERVERS "/%s" SUFFIX " is refused: %s", s->path, id, why);
        return STORE_SNAPSHOT_E_REFUSED;
}

static int open_checked(Store *s, const char *id, int *ret_fd, Problem **ret_problem) {
        _auto_close_ int dir_fd = -1, fd = -1;
        _auto_free_ char *file = NULL;
        struct stat st;
        int r;

        r = store_open_dir(s, STORE_SERVERS, &dir_fd);
        if (r != 0)
                return r < 0 ? r : STORE_SNAPSHOT_E_NOT_FOUND;
        if (fstat(dir_fd, &st) < 0)
                return -errno;
        if (!store_is_trusted(&st))
                return refuse(s, id, "others than root may write to its directory", ret_problem);

        file = file_name(id);
        if (!file)
                return -ENOMEM;
        fd = openat(dir_fd, file, O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);
        if (fd < 0) {
                if (errno == ENOENT)
                        return STORE_SNAPSHOT_E_NOT_FOUND;
                if (errno == ELOOP)
                        return refuse(s, id, "it is a symbolic link", ret_problem);
                if (errno == ENXIO)
                        return refuse(s, id, "it is not a regular file", ret_problem);
                if (errno == EACCES)
                        return refuse(s, id, "this user may not read it", ret_problem);
                return -errno;
        }
        if (fstat(fd, &st) < 0)
                return -errno;
        if (find_fault(&st))
                return refuse(s, id, find_fault(&st), ret_problem);

        *ret_fd = take_fd(fd);
        return 0;
}

int store_snapshot_read(Store *s, const char *id, Snapshot **ret, char ***ret_complaints, Problem **ret_problem) {
        _auto_close_ int fd = -1;
        _auto_free_ char *data = NULL;
        _auto_problem_ Problem *problem = NULL;
        size_t size = 0;
        int r;

        assert(s);
        assert(ret);

        if (!snapshot_id_is_valid(id))
                return STORE_SNAPSHOT_E_NOT_FOUND;

        r = open_checked(s, id, &fd, ret_problem);
        if (r != 0)
                return r;
        r = fd_read_to_end(fd, SNAPSHOT_SIZE_MAX, &data, &size);
        if (r == FD_READ_E_TOO_LARGE)
                return refuse(s, id, "it is too large", ret_problem);
        if (r != 0)
                return r;

        r = snapshot_parse(id, data, size, ret, ret_complaints, &problem);
        if (r == SNAPSHOT_E_REFUSED) {
                problem_prefix(problem, "%s/" STORE_SERVERS "/%s" SUFFIX, s->path, id);
                if (ret_problem && !*ret_problem)
                        *ret_problem = take_ptr(problem);
                return STORE_SNAPSHOT_E_REFUSED;
        }
        return r;
}

int store_snapshot_remove(Store *s, const char *id) {
        _auto_close_ int dir_fd = -1;
        _auto_free_ char *file = NULL;
        int r;

        assert(s);

        if (!snapshot_id_is_valid(id))
                return STORE_SNAPSHOT_E_NOT_FOUND;
        file = file_name(id);
        if (!file)
                return -ENOMEM;

        r = store_open_writable(s, STORE_SERVERS, (gid_t) -1, &dir_fd);
        if (r == 0)
                r = file_remove_at(dir_fd, file);
        return r <= 0 ? r : STORE_SNAPSHOT_E_NOT_FOUND;
}
