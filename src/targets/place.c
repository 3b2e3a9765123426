/* SPDX-License-Identifier: Apache-2.0 */
#include "targets/place.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/string-util.h"
#include "base/strv.h"

#define PLACE_MARK "md-targets"
#define FOUND_MAX ((size_t) 4 * 1024 * 1024) /* nothing of ours is larger */

void place_done(Place *p) {
        cleanup_close(&p->dir_fd);
        *p = PLACE_INIT;
}

#define refuse(ret_problem, ...)                                                      \
        ({                                                                            \
                (void) problem_set((ret_problem), PROBLEM_TYPE_SETTING, __VA_ARGS__); \
                -EINVAL;                                                              \
        })

/* What the accounts of the machine call them; a number when they know none. */
static char *user_name(uid_t uid) {
        const struct passwd *pw = getpwuid(uid);

        return pw ? strdup(pw->pw_name) : str_printf("%u", (unsigned) uid);
}

static char *group_name(gid_t gid) {
        const struct group *gr = getgrgid(gid);

        return gr ? strdup(gr->gr_name) : str_printf("%u", (unsigned) gid);
}

static int refuse_owner(uid_t uid, const char *path, Problem **ret_problem) {
        _auto_free_ char *name = user_name(uid);

        return refuse(ret_problem, "%s belongs to user %s, and neither to root nor to the file's Owner=", path, str_or(name, "?"));
}

static int refuse_group(gid_t gid, const char *path, Problem **ret_problem) {
        _auto_free_ char *name = group_name(gid);

        return refuse(ret_problem, "Group %s may write to %s, and is neither root's nor the file's Group=", str_or(name, "?"), path);
}

/* Who may write to a directory may have another one stand there in a moment. */
static int check_directory(int fd, const TargetFile *f, const char *path, Problem **ret_problem) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return refuse(ret_problem, "Cannot look at %s: %s", path, strerror(errno));
        if (st.st_uid != 0 && st.st_uid != f->uid)
                return refuse_owner(st.st_uid, path, ret_problem);
        if ((st.st_mode & 0002) != 0)
                return refuse(ret_problem, "Everybody may write to %s", path);
        if ((st.st_mode & 0020) != 0 && st.st_gid != 0 && st.st_gid != f->gid)
                return refuse_group(st.st_gid, path, ret_problem);
        return 0;
}

/* Where the unit's sandbox (ProtectHome=) shows nothing of what is there. */
static bool is_hidden(const char *path) {
        static const char *const hidden[] = { "/home", "/root", "/run/user" };

        for (size_t i = 0; i < ELEMENTSOF(hidden); i++) {
                const char *rest = str_after_prefix(path, hidden[i]);

                if (rest && (*rest == '/' || !*rest))
                        return true;
        }
        return false;
}

static int refuse_directory(int error, int fd, const char *component, const char *path, Problem **ret_problem) {
        char end[PATH_MAX];
        ssize_t n = readlinkat(fd, component, end, sizeof(end));

        if ((error == ENOENT || error == EACCES) && is_hidden(path))
                return refuse(ret_problem, "Cannot see %s: the sandbox of md-targets.service hides home directories, see md-targets(8)", path);
        if (error == ENOENT)
                return refuse(ret_problem, "There is no directory %s", path);
        if (n > 0)
                return refuse(ret_problem, "%s is a link to %.*s; links are not followed", path, (int) n, end);
        if (error == ENOTDIR)
                return refuse(ret_problem, "%s is no directory", path);
        return refuse(ret_problem, "Cannot open directory %s: %s", path, strerror(error));
}

static int enter(int *fd, const char *component, const char *path, Problem **ret_problem) {
        int next = openat(*fd, component, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

        if (next < 0)
                return refuse_directory(errno, *fd, component, path, ret_problem);
        (void) close(*fd);
        *fd = next;
        return 0;
}

int place_open(const TargetFile *f, Place *ret, Problem **ret_problem) {
        _auto_close_ int fd = open("/", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
        const char *component, *end;
        int r;

        assert(f && f->path && *f->path == '/');
        assert(ret);

        if (fd < 0)
                return -errno;
        for (component = f->path + 1; (end = strchr(component, '/')); component = end + 1) {
                _auto_free_ char *name = strndup(component, (size_t) (end - component)), *path = strndup(f->path, (size_t) (end - f->path));

                if (!name || !path)
                        return -ENOMEM;
                r = enter(&fd, name, path, ret_problem);
                if (r == 0)
                        r = check_directory(fd, f, path, ret_problem);
                if (r < 0)
                        return r;
        }
        *ret = (Place){ .dir_fd = take_fd(fd), .base = component };
        return 0;
}

int place_read(const Place *p, const TargetFile *f, Secret **ret) {
        _auto_close_ int fd = openat(p->dir_fd, p->base, O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);
        char *data = NULL;
        struct stat st;
        size_t size;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return PLACE_E_OTHER; /* whatever it is: it is replaced */
        if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != f->uid || st.st_gid != f->gid || (st.st_mode & 07777) != f->mode)
                return PLACE_E_OTHER;
        r = fd_read_to_end(fd, FOUND_MAX, &data, &size);
        if (r != 0)
                return r < 0 ? r : PLACE_E_OTHER;
        *ret = secret_new(data, size);
        secret_wipe(data, size);
        free(data);
        return *ret ? 0 : -ENOMEM;
}

/* Keys that a crash left under temporary names of this file. Others have hidden files here, too. */
static void remove_temporaries(const Place *p) {
        _auto_strv_ char **names = NULL;

        if (dir_list(p->dir_fd, &names) != 0)
                return;
        STRV_FOREACH(name, names)
                if (file_is_marked_temporary_name(*name, p->base, PLACE_MARK))
                        (void) unlinkat(p->dir_fd, *name, 0);
}

int place_write(const Place *p, const TargetFile *f, const Secret *content, Problem **ret_problem) {
        const FileMode mode = { .mode = f->mode, .uid = f->uid, .gid = f->gid };
        struct stat st;
        int r;

        if (fstatat(p->dir_fd, p->base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
                return refuse(ret_problem, "%s is a directory", f->path);
        remove_temporaries(p);
        r = file_replace_marked_at(p->dir_fd, p->base, PLACE_MARK, content->data, content->size, &mode);
        if (r == -EROFS)
                return refuse(ret_problem, "Cannot write %s: the sandbox of md-targets.service does not let it; allow it by a drop-in with ReadWritePaths=", f->path);
        return r < 0 ? refuse(ret_problem, "Cannot write %s: %s", f->path, strerror(-r)) : 0;
}
