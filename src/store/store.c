/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/string-util.h"
#include "base/strv.h"
#include "store/internal.h"

#define MAKE_AGAIN "\"systemd-tmpfiles --create md-manager.conf\" makes it again"

static const struct {
        const char *name;
        mode_t mode;
        bool server; /* root writes there */
} directories[] = {
        { STORE_SERVERS,    0750,  true  },
        { STORE_FALLBACK,   0700,  true  },
        { STORE_DOMAINS,    0700,  false },
        { STORE_STAGING,    0700,  false },
        { STORE_RESERVE,    0700,  false },
        { STORE_ARCHIVE,    0700,  false },
        { STORE_ACCOUNTS,   0700,  false },
        { STORE_TMP,        0700,  false },
        { STORE_CHALLENGES, 02750, false },
        { STORE_OCSP,       02750, false },
        { STORE_STATUS,     02750, false },
        { STORE_OUTBOX,     0700,  false },
        { STORE_CRLS,       0700,  false },
        { STORE_PUBLIC,     0755,  false },
};

static size_t directory_index(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                if (str_equal(directories[i].name, name))
                        return i;

        assert(false && "not a directory of the store");
        return ELEMENTSOF(directories);
}

void store_step(const Store *s, const char *done) {
        if (s->on_step)
                s->on_step(done, s->userdata);
}

bool store_name_is_valid(const char *name) {
        size_t n;

        if (str_is_empty(name) || *name == '.')
                return false;

        for (n = 0; name[n]; n++)
                if (n >= 253 || name[n] <= ' ' || name[n] >= 0x7f || name[n] == '/')
                        return false;

        return true;
}

bool store_is_trusted(const struct stat *st) {
        return (st->st_uid == 0 || st->st_uid == geteuid()) && (st->st_mode & 022) == 0;
}

/* Root writes only where nobody else can have put something; the manager only into what is its own. */
static int check_ours(const Store *s, int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_uid != geteuid())
                return -EPERM;
        if (s->role == STORE_ROLE_SERVER && (st.st_mode & 022) != 0)
                return -EPERM;
        return 0;
}

/* Afresh each time: the tree may have been deleted and made again since, and descriptors of the old one would lead nowhere. */
static int open_root(const Store *s, int *ret_fd) {
        int fd;

        fd = open(s->path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
        if (fd >= 0) {
                *ret_fd = fd;
                return 0;
        }

        switch (errno) {
        case ENOENT:
                return DIR_E_NOT_FOUND;
        case ENOTDIR:
                return DIR_E_NOT_DIRECTORY;
        default:
                return -errno;
        }
}

int store_open_dir(Store *s, const char *directory, int *ret_fd) {
        _auto_close_ int root_fd = -1;
        int r;

        assert(s);
        assert(ret_fd);
        (void) directory_index(directory);

        r = open_root(s, &root_fd);
        if (r != 0)
                return r;

        return dir_open_at(root_fd, directory, ret_fd);
}

/* '.' may belong to root (then it is for systemd-tmpfiles to make what is missing) or to us. */
static int make_directory(const Store *s, int root_fd, size_t i, gid_t gid, int *ret_fd) {
        const FileMode mode = { .mode = directories[i].mode, .uid = (uid_t) -1, .gid = gid };
        int r;

        if (s->role == STORE_ROLE_CHILD || (s->role == STORE_ROLE_SERVER && !directories[i].server))
                return DIR_E_NOT_FOUND;

        r = check_ours(s, root_fd);
        if (r == -EPERM)
                return DIR_E_NOT_FOUND;
        if (r < 0)
                return r;

        return dir_ensure_at(root_fd, directories[i].name, &mode, ret_fd);
}

int store_open_writable(Store *s, const char *directory, gid_t gid, int *ret_fd) {
        _auto_close_ int root_fd = -1, fd = -1;
        int r;

        r = open_root(s, &root_fd);
        if (r != 0)
                return r;
        if (s->role == STORE_ROLE_SERVER) {
                r = check_ours(s, root_fd);
                if (r < 0)
                        return r;
        }

        r = dir_open_at(root_fd, directory, &fd);
        if (r == DIR_E_NOT_FOUND)
                r = make_directory(s, root_fd, directory_index(directory), gid, &fd);
        if (r != 0)
                return r;

        r = check_ours(s, fd);
        if (r < 0)
                return r;

        *ret_fd = take_fd(fd);
        return 0;
}

int store_open_sub(Store *s, const char *directory, const char *name, int *ret_fd) {
        _auto_close_ int fd = -1;
        int r;

        if (!store_name_is_valid(name))
                return DIR_E_NOT_FOUND;

        r = store_open_dir(s, directory, &fd);
        if (r != 0)
                return r;

        return dir_open_at(fd, name, ret_fd);
}

/* mkdir(2) itself and not dir_ensure_at(): a name may have 253 bytes, which leaves no room for a temporary one. And a mode with the
 * set-group-id bit must come by inheritance: chmod(2) takes it away when the group is none of ours, as with challenges/. */
static int make_at(int dir_fd, const char *name, mode_t mode, int *ret_fd) {
        int r;

        if (mkdirat(dir_fd, name, mode & 0777) < 0 && errno != EEXIST)
                return -errno;
        r = dir_sync(dir_fd);
        if (r < 0)
                return r;
        return dir_open_at(dir_fd, name, ret_fd);
}

static int correct_mode(int fd, mode_t mode) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        /* A public directory may be more public, if it was made so; the service may not even try to set this bit (RestrictSUIDSGID=). */
        if ((st.st_mode & 07777) == mode || ((mode & S_ISGID) && (st.st_mode & mode) == mode))
                return 0;
        if (fchmod(fd, mode) < 0 || fstat(fd, &st) < 0)
                return -errno;
        return (st.st_mode & 07777) == mode ? 0 : -EPERM;
}

int store_ensure_at(const Store *s, int dir_fd, const char *name, mode_t mode, int *ret_fd) {
        _auto_close_ int fd = -1;
        bool made;
        int r;

        r = dir_open_at(dir_fd, name, &fd);
        made = r == DIR_E_NOT_FOUND;
        if (made)
                r = make_at(dir_fd, name, mode, &fd);
        if (r != 0)
                return r;

        r = check_ours(s, fd);
        if (r == 0)
                r = correct_mode(fd, mode);
        if (r < 0) {
                if (made)
                        (void) unlinkat(dir_fd, name, AT_REMOVEDIR);
                return r;
        }

        *ret_fd = take_fd(fd);
        return 0;
}

int store_ensure_sub(Store *s, const char *directory, const char *name, mode_t mode, int *ret_fd) {
        _auto_close_ int fd = -1;
        int r;

        if (!store_name_is_valid(name))
                return -EINVAL;

        r = store_open_writable(s, directory, (gid_t) -1, &fd);
        if (r != 0)
                return r;

        return store_ensure_at(s, fd, name, mode, ret_fd);
}

int store_list_directories(int fd, char ***ret_names) {
        _auto_strv_ char **all = NULL, **names = NULL;
        int r;

        r = dir_list(fd, &all);
        if (r != 0)
                return r;

        STRV_FOREACH(name, all) {
                struct stat st;

                if (!store_name_is_valid(*name) || fstatat(fd, *name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
                        continue;
                r = strv_extend(&names, *name);
                if (r < 0)
                        return r;
        }

        *ret_names = take_ptr(names);
        return 0;
}

int store_remove_at(int dir_fd, const char *name) {
        int r;

        r = dir_remove_tree_at(dir_fd, name);
        if (r == DIR_E_NOT_DIRECTORY)
                r = file_remove_at(dir_fd, name);
        return r < 0 ? r : 0;
}

int store_remove_temporaries(int dir_fd) {
        _auto_strv_ char **names = NULL;
        int r;

        r = dir_list(dir_fd, &names);
        if (r != 0)
                return r;

        STRV_FOREACH(name, names) {
                if (!file_is_temporary_name(*name))
                        continue;
                r = store_remove_at(dir_fd, *name);
                if (r < 0)
                        return r;
        }
        return 0;
}

int store_tidy(Store *s, const char *directory, const char *name) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(s->role == STORE_ROLE_MANAGER);

        r = store_open_sub(s, directory, name, &fd);
        if (r == 0)
                r = store_remove_temporaries(fd);
        return r < 0 ? r : 0;
}

bool store_has_file(int dir_fd, const char *name) {
        struct stat st;

        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

int store_read_text(int dir_fd, const char *name, size_t max, char **ret_text, size_t *ret_size) {
        _auto_free_ char *text = NULL;
        size_t size = 0;
        int r;

        r = file_read_at(dir_fd, name, max, &text, &size);
        if (r != 0)
                return r;
        if (strlen(text) != size)
                return FILE_E_NOT_REGULAR;

        *ret_text = take_ptr(text);
        if (ret_size)
                *ret_size = size;
        return 0;
}

int store_read_secret(int dir_fd, const char *name, Secret **ret) {
        char *data;
        Secret *secret;
        size_t size = 0;
        int r;

        r = file_read_at(dir_fd, name, STORE_KEY_MAX, &data, &size);
        if (r != 0)
                return r;

        secret = size > 0 ? secret_new(data, size) : NULL;
        secret_wipe(data, size);
        free(data);
        if (!secret)
                return size > 0 ? -ENOMEM : FILE_E_NOT_REGULAR;

        *ret = secret;
        return 0;
}

/* What root relies on must not be in the hands of anybody else: who can rename 'servers' away can put his own in its place. */
static int check_trusted(const Store *s, int fd, const char *directory, Problem **ret_problem) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (store_is_trusted(&st))
                return 0;

        problem_set(ret_problem, PROBLEM_TYPE_STORE,
                    "The directory %s%s is not safe: it must belong to root and be writable for nobody else (its owner is user %u, its mode %04o)",
                    s->path, directory, (unsigned) st.st_uid, (unsigned) st.st_mode & 07777);
        return STORE_E_UNUSABLE;
}

static int refuse_directory(const Store *s, const char *directory, int r, Problem **ret_problem) {
        if (r == -ENOMEM)
                return r;

        if (r == DIR_E_NOT_FOUND)
                problem_set(ret_problem, PROBLEM_TYPE_STORE, "The directory %s%s is missing; " MAKE_AGAIN, s->path, directory);
        else if (r == DIR_E_NOT_DIRECTORY)
                problem_set(ret_problem, PROBLEM_TYPE_STORE, "%s%s is not a directory; move it away, then " MAKE_AGAIN, s->path, directory);
        else
                problem_set(ret_problem, PROBLEM_TYPE_STORE, "The directory %s%s cannot be opened by user %u: %s", s->path, directory,
                            (unsigned) geteuid(), str_or(strerrordesc_np(-r), "unknown error"));
        return STORE_E_UNUSABLE;
}

/* The server makes its own directories when it first writes there; until then they may be missing. */
static int check_for_server(const Store *s, int root_fd, Problem **ret_problem) {
        int r;

        r = check_trusted(s, root_fd, "", ret_problem);
        if (r != 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                char path[32] = "/";
                _auto_close_ int fd = -1;

                if (!directories[i].server)
                        continue;
                (void) strncat(path, directories[i].name, sizeof(path) - 2);

                r = dir_open_at(root_fd, directories[i].name, &fd);
                if (r == DIR_E_NOT_FOUND)
                        continue;
                if (r == -EACCES && geteuid() != 0)
                        continue; /* a configuration test by an ordinary user */
                r = r != 0 ? refuse_directory(s, path, r, ret_problem) : check_trusted(s, fd, path, ret_problem);
                if (r != 0)
                        return r;
        }

        return 0;
}

static int check_owner(const Store *s, int fd, const char *path, Problem **ret_problem) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_uid == geteuid())
                return 0;

        problem_set(ret_problem, PROBLEM_TYPE_STORE, "The directory %s%s belongs to user %u, but must belong to the user that md-manager runs as (%u)",
                    s->path, path, (unsigned) st.st_uid, (unsigned) geteuid());
        return STORE_E_UNUSABLE;
}

static int check_for_manager(const Store *s, int root_fd, Problem **ret_problem) {
        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                char path[32] = "/";
                _auto_close_ int fd = -1;
                int r;

                if (str_equal(directories[i].name, STORE_FALLBACK))
                        continue; /* root's own affair */
                (void) strncat(path, directories[i].name, sizeof(path) - 2);

                r = dir_open_at(root_fd, directories[i].name, &fd);
                if (r == DIR_E_NOT_FOUND)
                        r = make_directory(s, root_fd, i, (gid_t) -1, &fd);
                if (r != 0)
                        return refuse_directory(s, path, r, ret_problem);

                r = directories[i].server ? check_trusted(s, fd, path, ret_problem) : check_owner(s, fd, path, ret_problem);
                if (r != 0)
                        return r;
        }

        return 0;
}

int store_check(Store *s, Problem **ret_problem) {
        _auto_close_ int root_fd = -1;
        int r;

        assert(s);

        r = open_root(s, &root_fd);
        if (r != 0)
                return refuse_directory(s, "", r, ret_problem);

        switch (s->role) {
        case STORE_ROLE_MANAGER:
                return check_for_manager(s, root_fd, ret_problem);
        case STORE_ROLE_SERVER:
                return check_for_server(s, root_fd, ret_problem);
        case STORE_ROLE_CHILD:
        default:
                return 0;
        }
}

int store_open(const char *path, StoreRole role, Store **ret, Problem **ret_problem) {
        _cleanup_(store_closep) Store *s = NULL;
        int r;

        assert(path);
        assert(ret);

        if (*path != '/') {
                problem_set(ret_problem, PROBLEM_TYPE_STORE, "The store's directory must be an absolute path, \"%s\" is none", path);
                return STORE_E_UNUSABLE;
        }

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->role = role;
        s->path = strdup(path);
        if (!s->path)
                return -ENOMEM;
        for (size_t n = strlen(s->path); n > 1 && s->path[n - 1] == '/'; n--)
                s->path[n - 1] = '\0';

        r = store_check(s, ret_problem);
        if (r != 0)
                return r;

        *ret = take_ptr(s);
        return 0;
}

Store *store_close(Store *s) {
        if (!s)
                return NULL;

        free(s->path);
        free(s);
        return NULL;
}

const char *store_path(const Store *s) {
        return s->path;
}

StoreRole store_role(const Store *s) {
        return s->role;
}
