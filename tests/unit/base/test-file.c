/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "lib/test.h"
#include "lib/tmp-dir.h"

#define MODE(m) (&(const FileMode) { (m), (uid_t) -1, (gid_t) -1 })

static const char *const bad_names[] = { NULL, "", ".", "..", "a/b", "/", "/etc", "a/", "../x" };

TEST(reads_a_file) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_free_ char *data = NULL, *empty = NULL;
        size_t size = 99;

        tmp_dir_write(&dir, "file", "content");
        tmp_dir_write(&dir, "empty", "");
        CHECK_INT(file_read_at(dir.fd, "file", 7, &data, &size), 0);
        CHECK_STR(data, "content");
        CHECK_UINT(size, 7);
        CHECK_INT(file_read_at(dir.fd, "empty", 0, &empty, NULL), 0);
        CHECK_STR(empty, "");
}

TEST(reading_tells_what_stands_there) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_close_ int socket_fd = -1;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char long_name[300], *data = NULL;
        size_t size = 99;

        tmp_dir_write(&dir, "file", "content");
        CHECK_INT(mkdirat(dir.fd, "directory", 0700), 0);
        CHECK_INT(symlinkat("file", dir.fd, "link"), 0);
        CHECK_INT(symlinkat("nowhere", dir.fd, "dangling"), 0);
        CHECK_INT(mkfifoat(dir.fd, "fifo", 0600), 0);
        socket_fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/socket", dir.path);
        CHECK_INT(bind(socket_fd, (struct sockaddr *) &address, sizeof(address)), 0);

        CHECK_INT(file_read_at(dir.fd, "file", 6, &data, &size), FILE_E_TOO_LARGE);
        CHECK_INT(file_read_at(dir.fd, "missing", 100, &data, &size), FILE_E_NOT_FOUND);
        CHECK_INT(file_read_at(dir.fd, "directory", 100, &data, &size), FILE_E_NOT_REGULAR);
        CHECK_INT(file_read_at(dir.fd, "link", 100, &data, &size), FILE_E_NOT_REGULAR);
        CHECK_INT(file_read_at(dir.fd, "dangling", 100, &data, &size), FILE_E_NOT_REGULAR);
        CHECK_INT(file_read_at(dir.fd, "fifo", 100, &data, &size), FILE_E_NOT_REGULAR);
        CHECK_INT(file_read_at(dir.fd, "socket", 100, &data, &size), FILE_E_NOT_REGULAR);
        memset(long_name, 'x', sizeof(long_name) - 1);
        long_name[sizeof(long_name) - 1] = '\0';
        CHECK_INT(file_read_at(dir.fd, long_name, 100, &data, &size), FILE_E_NOT_FOUND);
        CHECK_INT(file_read_at(-1, "file", 100, &data, &size), -EBADF);
        for (size_t i = 0; i < ELEMENTSOF(bad_names); i++)
                CHECK_INT(file_read_at(dir.fd, bad_names[i], 100, &data, &size), -EINVAL);
        CHECK(!data);
        CHECK_UINT(size, 99);
}

TEST(replace_makes_and_replaces) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_free_ char *first = NULL, *second = NULL;
        mode_t mask = umask(0077);
        struct stat st = {};

        CHECK_INT(file_replace_at(dir.fd, "file", "one", 3, MODE(0644)), 0);
        first = tmp_dir_read(&dir, "file");
        CHECK_STR(first, "one");
        CHECK_INT(fstatat(dir.fd, "file", &st, 0), 0);
        CHECK_INT(st.st_mode & 07777, 0644);

        CHECK_INT(file_replace_at(dir.fd, "file", NULL, 0, &(const FileMode) { 0600, geteuid(), getegid() }), 0);
        second = tmp_dir_read(&dir, "file");
        CHECK_STR(second, "");
        CHECK_INT(fstatat(dir.fd, "file", &st, 0), 0);
        CHECK_INT(st.st_mode & 07777, 0600);
        CHECK_UINT(tmp_dir_count(&dir, "."), 1);
        (void) umask(mask);
}

TEST(replace_does_not_follow_links) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_free_ char *target = NULL, *file = NULL;

        tmp_dir_write(&dir, "target", "precious");
        CHECK_INT(symlinkat("target", dir.fd, "file"), 0);
        CHECK_INT(file_replace_at(dir.fd, "file", "new", 3, MODE(0600)), 0);
        target = tmp_dir_read(&dir, "target");
        file = tmp_dir_read(&dir, "file");
        CHECK_STR(target, "precious");
        CHECK_STR(file, "new");
}

TEST(failed_replace_leaves_nothing) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_free_ char *old = NULL;
        char long_name[260];
        struct rlimit limit, small;

        tmp_dir_write(&dir, "file", "old");
        CHECK_INT(mkdirat(dir.fd, "directory", 0700), 0);
        CHECK_INT(file_replace_at(dir.fd, "directory", "new", 3, MODE(0600)), -EISDIR);
        for (size_t i = 0; i < ELEMENTSOF(bad_names); i++)
                CHECK_INT(file_replace_at(dir.fd, bad_names[i], "new", 3, MODE(0600)), -EINVAL);
        memset(long_name, 'x', 250);
        long_name[250] = '\0';
        CHECK_INT(file_replace_at(dir.fd, long_name, "new", 3, MODE(0600)), -ENAMETOOLONG);
        CHECK_INT(file_replace_at(-1, "file", "new", 3, MODE(0600)), -EBADF);
        if (geteuid() != 0)
                CHECK_INT(file_replace_at(dir.fd, "file", "new", 3, &(const FileMode) { 0600, 0, 0 }), -EPERM);

        /* The disk is "full" in the middle of the content. */
        signal(SIGXFSZ, SIG_IGN);
        CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
        small = limit;
        small.rlim_cur = 4;
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
        CHECK_INT(file_replace_at(dir.fd, "file", "new content", 11, MODE(0600)), -EFBIG);
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);

        old = tmp_dir_read(&dir, "file");
        CHECK_STR(old, "old");
        CHECK_UINT(tmp_dir_count(&dir, "."), 2);
}

TEST(remove_tells_what_it_found) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();

        tmp_dir_write(&dir, "file", "content");
        CHECK_INT(mkdirat(dir.fd, "directory", 0700), 0);
        CHECK_INT(symlinkat("directory", dir.fd, "link"), 0);
        CHECK_INT(file_remove_at(dir.fd, "file"), 0);
        CHECK(!tmp_dir_has(&dir, "file"));
        CHECK_INT(file_remove_at(dir.fd, "file"), FILE_E_NOT_FOUND);
        CHECK_INT(file_remove_at(dir.fd, "directory"), FILE_E_NOT_REGULAR);
        CHECK_INT(file_remove_at(dir.fd, "link"), 0);
        CHECK(!tmp_dir_has(&dir, "link"));
        CHECK(tmp_dir_has(&dir, "directory"));
        for (size_t i = 0; i < ELEMENTSOF(bad_names); i++)
                CHECK_INT(file_remove_at(dir.fd, bad_names[i]), -EINVAL);
}

TEST(temporary_names) {
        CHECK(file_is_temporary_name(".job.json.a1b2c3"));
        CHECK(!file_is_temporary_name("job.json"));
        CHECK(!file_is_temporary_name(".hidden"));
}

TEST(marked_replacement) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_free_ char *text = NULL;
        char long_name[260];

        CHECK_INT(file_replace_marked_at(dir.fd, "file", "mark", "one", 3, MODE(0644)), 0);
        CHECK_INT(file_replace_marked_at(dir.fd, "file", "mark", "two", 3, MODE(0644)), 0);
        text = tmp_dir_read(&dir, "file");
        CHECK_STR(text, "two");
        CHECK_UINT(tmp_dir_count(&dir, "."), 1);
        for (size_t i = 0; i < ELEMENTSOF(bad_names); i++)
                CHECK_INT(file_replace_marked_at(dir.fd, bad_names[i], "mark", "new", 3, MODE(0600)), -EINVAL);
        memset(long_name, 'x', 245);
        long_name[245] = '\0';
        CHECK_INT(file_replace_marked_at(dir.fd, long_name, "mark", "new", 3, MODE(0600)), -ENAMETOOLONG);
        CHECK_UINT(tmp_dir_count(&dir, "."), 1);
}

static const struct {
        const char *temporary;
        bool ours;
} marked[] = {
        { ".file.mark.a1b2c3",   true },
        { ".file.mark.abcdef",   true },
        { ".file.mark.a1b2c",    false },
        { ".file.mark.a1b2c3d",  false },
        { ".file.mark.A1B2C3",   false },
        { ".file.mark.x.backup", false },
        { ".file.mark",          false },
        { ".file.mark.",         false },
        { ".file.other.a1b2c3",  false },
        { ".file.marks.a1b2c3",  false },
        { ".file.backup",        false },
        { ".file2.mark.a1b2c3",  false },
        { "file.mark.a1b2c3",    false },
        { ".mark.a1b2c3",        false },
        { "",                    false },
        { NULL,                  false },
};

TEST(marked_temporary_names) {
        for (size_t i = 0; i < ELEMENTSOF(marked); i++) {
                test_case("%s", marked[i].temporary ? marked[i].temporary : "NULL");
                CHECK_INT(file_is_marked_temporary_name(marked[i].temporary, "file", "mark"), marked[i].ours);
        }
}
