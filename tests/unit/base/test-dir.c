/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "lib/test.h"
#include "lib/tmp-dir.h"

#define MODE(m) (&(const FileMode) { (m), (uid_t) -1, (gid_t) -1 })

static const char *const bad_names[] = { NULL, "", ".", "..", "a/b", "/", "/etc", "a/", "../x" };

static mode_t mode_of(TmpDir *dir, const char *name) {
        struct stat st = {};

        (void) fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW);
        return st.st_mode & 07777;
}

TEST(open_tells_what_stands_there) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_close_ int fd = -1;
        int untouched = -5;

        tmp_dir_write(&dir, "file", "");
        CHECK_INT(mkdirat(dir.fd, "directory", 0700), 0);
        CHECK_INT(symlinkat("directory", dir.fd, "link"), 0);
        CHECK_INT(dir_open_at(dir.fd, "directory", &fd), 0);
        CHECK(fd >= 0);
        CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        CHECK_INT(dir_open_at(dir.fd, "missing", &untouched), DIR_E_NOT_FOUND);
        CHECK_INT(dir_open_at(dir.fd, "file", &untouched), DIR_E_NOT_DIRECTORY);
        CHECK_INT(dir_open_at(dir.fd, "link", &untouched), DIR_E_NOT_DIRECTORY);
        CHECK_INT(dir_open_at(-1, "directory", &untouched), -EBADF);
        for (size_t i = 0; i < ELEMENTSOF(bad_names); i++)
                CHECK_INT(dir_open_at(dir.fd, bad_names[i], &untouched), -EINVAL);
        CHECK_INT(untouched, -5);
}

TEST(ensure_makes_it_with_its_mode) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_close_ int fd = -1, again = -1;
        mode_t mask = umask(0077);
        int untouched = -5;

        CHECK_INT(dir_ensure_at(dir.fd, "new", &(const FileMode) { 02750, geteuid(), getegid() }, &fd), 0);
        CHECK(fd >= 0);
        CHECK_INT(mode_of(&dir, "new"), 02750);
        CHECK_INT(dir_ensure_at(dir.fd, "new", MODE(0700), &again), 0);
        CHECK(again >= 0);
        CHECK_INT(mode_of(&dir, "new"), 02750); /* what is there stays as it is */
        CHECK_INT(dir_ensure_at(dir.fd, "other", MODE(0755), NULL), 0);
        CHECK_INT(mode_of(&dir, "other"), 0755);
        CHECK_UINT(tmp_dir_count(&dir, "."), 2);

        tmp_dir_write(&dir, "file", "");
        CHECK_INT(symlinkat("new", dir.fd, "link"), 0);
        CHECK_INT(dir_ensure_at(dir.fd, "file", MODE(0700), &untouched), DIR_E_NOT_DIRECTORY);
        CHECK_INT(dir_ensure_at(dir.fd, "link", MODE(0700), &untouched), DIR_E_NOT_DIRECTORY);
        for (size_t i = 0; i < ELEMENTSOF(bad_names); i++)
                CHECK_INT(dir_ensure_at(dir.fd, bad_names[i], MODE(0700), &untouched), -EINVAL);
        if (geteuid() != 0) {
                CHECK_INT(dir_ensure_at(dir.fd, "foreign", &(const FileMode) { 0700, 0, 0 }, &untouched), -EPERM);
                CHECK(!tmp_dir_has(&dir, "foreign"));
        }
        CHECK_INT(untouched, -5);
        CHECK_UINT(tmp_dir_count(&dir, "."), 4);
        (void) umask(mask);
}

TEST(list_is_sorted) {
        static const char *const expected[] = { ".hidden", "B", "a", "b", "directory", NULL };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_strv_ char **names = NULL, **again = NULL;

        tmp_dir_write(&dir, "b", "");
        tmp_dir_write(&dir, ".hidden", "");
        tmp_dir_write(&dir, "a", "");
        tmp_dir_write(&dir, "B", "");
        CHECK_INT(mkdirat(dir.fd, "directory", 0700), 0);
        CHECK_INT(dir_list(dir.fd, &names), 0);
        CHECK(strv_equal(names, (char *const *) expected));
        CHECK_INT(dir_list(dir.fd, &again), 0);
        CHECK(strv_equal(again, names));
}

TEST(list_of_many_and_of_none) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_strv_ char **names = NULL, **many = NULL;
        char **untouched = (char **) bad_names;

        CHECK_INT(dir_list(dir.fd, &names), 0);
        CHECK_UINT(strv_length(names), 0);
        for (unsigned i = 0; i < 300; i++) {
                char name[20];

                (void) snprintf(name, sizeof(name), "%03u", 299 - i);
                tmp_dir_write(&dir, name, "");
        }
        CHECK_INT(dir_list(dir.fd, &many), 0);
        REQUIRE(strv_length(many) == 300);
        CHECK_STR(many[0], "000");
        CHECK_STR(many[299], "299");
        CHECK_INT(dir_list(-1, &untouched), -EBADF);
        CHECK(untouched == (char **) bad_names);
}

static void make_nested(int dir_fd, unsigned depth) {
        _auto_close_ int fd = -1;

        if (depth == 0)
                return;
        CHECK_INT(mkdirat(dir_fd, "d", 0700), 0);
        fd = openat(dir_fd, "d", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
        make_nested(fd, depth - 1);
}

TEST(remove_tree_stays_inside) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_free_ char *precious = NULL;

        CHECK_INT(mkdirat(dir.fd, "outside", 0700), 0);
        tmp_dir_write(&dir, "outside/precious", "precious");
        CHECK_INT(mkdirat(dir.fd, "tree", 0700), 0);
        CHECK_INT(mkdirat(dir.fd, "tree/sub", 0700), 0);
        CHECK_INT(mkdirat(dir.fd, "tree/sub/empty", 0700), 0);
        tmp_dir_write(&dir, "tree/file", "x");
        tmp_dir_write(&dir, "tree/sub/.hidden", "x");
        CHECK_INT(symlinkat("../outside", dir.fd, "tree/link"), 0);
        CHECK_INT(symlinkat("../../outside/precious", dir.fd, "tree/sub/link"), 0);
        CHECK_INT(mkfifoat(dir.fd, "tree/fifo", 0600), 0);

        CHECK_INT(dir_remove_tree_at(dir.fd, "tree"), 0);
        CHECK(!tmp_dir_has(&dir, "tree"));
        precious = tmp_dir_read(&dir, "outside/precious");
        CHECK_STR(precious, "precious");
        CHECK_INT(dir_remove_tree_at(dir.fd, "tree"), DIR_E_NOT_FOUND);
}

TEST(remove_tree_refuses) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();

        CHECK_INT(mkdirat(dir.fd, "directory", 0700), 0);
        CHECK_INT(symlinkat("directory", dir.fd, "link"), 0);
        tmp_dir_write(&dir, "file", "x");
        CHECK_INT(dir_remove_tree_at(dir.fd, "link"), DIR_E_NOT_DIRECTORY);
        CHECK_INT(dir_remove_tree_at(dir.fd, "file"), DIR_E_NOT_DIRECTORY);
        for (size_t i = 0; i < ELEMENTSOF(bad_names); i++)
                CHECK_INT(dir_remove_tree_at(dir.fd, bad_names[i]), -EINVAL);
        CHECK_UINT(tmp_dir_count(&dir, "."), 3);

        make_nested(dir.fd, 20);
        CHECK_INT(dir_remove_tree_at(dir.fd, "d"), 0);
        make_nested(dir.fd, 60);
        CHECK_INT(dir_remove_tree_at(dir.fd, "d"), -ELOOP);
        CHECK(tmp_dir_has(&dir, "d"));
}

TEST(rename_never_replaces) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_close_ int from = -1, to = -1;
        _auto_free_ char *moved = NULL;

        CHECK_INT(dir_ensure_at(dir.fd, "from", MODE(0700), &from), 0);
        CHECK_INT(dir_ensure_at(dir.fd, "to", MODE(0700), &to), 0);
        CHECK_INT(mkdirat(from, "set", 0700), 0);
        tmp_dir_write(&dir, "from/set/file", "moved");

        CHECK_INT(dir_rename_at(from, "set", to, "set"), 0);
        moved = tmp_dir_read(&dir, "to/set/file");
        CHECK_STR(moved, "moved");
        CHECK_INT(dir_rename_at(from, "set", to, "other"), DIR_E_NOT_FOUND);
        CHECK_INT(mkdirat(from, "set", 0700), 0);
        CHECK_INT(dir_rename_at(from, "set", to, "set"), DIR_E_EXISTS);
        CHECK_INT(mkdirat(to, "empty", 0700), 0);
        CHECK_INT(dir_rename_at(from, "set", to, "empty"), DIR_E_EXISTS);
        CHECK_INT(dir_rename_at(from, "set", from, "renamed"), 0);
        CHECK(tmp_dir_has(&dir, "from/renamed"));
        CHECK_INT(dir_rename_at(from, "renamed", -1, "x"), -EBADF);
        for (size_t i = 0; i < ELEMENTSOF(bad_names); i++) {
                CHECK_INT(dir_rename_at(from, bad_names[i], to, "x"), -EINVAL);
                CHECK_INT(dir_rename_at(from, "renamed", to, bad_names[i]), -EINVAL);
        }
        CHECK(tmp_dir_has(&dir, "from/renamed"));
}

TEST(sync) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();

        CHECK_INT(dir_sync(dir.fd), 0);
        CHECK_INT(dir_sync(AT_FDCWD), 0);
        CHECK_INT(dir_sync(-1), -EBADF);
}
