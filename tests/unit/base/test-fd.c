/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "lib/test.h"
#include "lib/tmp-dir.h"

TEST(reads_back_what_was_written) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_close_ int fd = openat(dir.fd, "file", O_RDWR|O_CREAT|O_CLOEXEC, 0600);
        enum { SIZE = 100000 };
        _auto_free_ char *text = malloc(SIZE), *back = NULL;
        size_t size = 0;

        REQUIRE(fd >= 0 && text);
        for (size_t i = 0; i < SIZE; i++)
                text[i] = (char) (i * 7);
        CHECK_INT(fd_write_all(fd, text, SIZE), 0);
        CHECK_INT(fd_write_all(fd, NULL, 0), 0);
        CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
        CHECK_INT(fd_read_to_end(fd, SIZE, &back, &size), 0);
        CHECK_UINT(size, SIZE);
        CHECK_MEM(back, text, SIZE);
        CHECK_INT(back[SIZE], 0);
}

TEST(more_than_allowed_is_an_outcome) {
        static const struct {
                size_t size, max;
                int expected;
        } cases[] = {
                { 0, 0, FD_READ_DONE },
                { 1, 0, FD_READ_E_TOO_LARGE },
                { 10, 10, FD_READ_DONE },
                { 11, 10, FD_READ_E_TOO_LARGE },
                { 4095, 4095, FD_READ_DONE },
                { 4096, 4095, FD_READ_E_TOO_LARGE },
                { 8192, 8192, FD_READ_DONE },
                { 8193, 8192, FD_READ_E_TOO_LARGE },
                { 9999, SIZE_MAX, FD_READ_DONE },
        };
        static const char zeros[10000];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                _auto_close_ int fd = openat(dir.fd, "file", O_RDWR|O_CREAT|O_CLOEXEC, 0600);
                _auto_free_ char *data = NULL;
                size_t size = 99;

                test_case("%zu of %zu", cases[i].size, cases[i].max);
                CHECK_INT(fd_write_all(fd, zeros, cases[i].size), 0);
                CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
                CHECK_INT(fd_read_to_end(fd, cases[i].max, &data, &size), cases[i].expected);
                CHECK_UINT(size, cases[i].expected == 0 ? cases[i].size : 99);
                CHECK((data != NULL) == (cases[i].expected == 0));
        }
}

TEST(reads_a_pipe_in_pieces) {
        _auto_free_ char *data = NULL;
        int ends[2];

        CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
        CHECK_INT(fd_write_all(ends[1], "one ", 4), 0);
        CHECK_INT(fd_write_all(ends[1], "two", 3), 0);
        CHECK_INT(close(ends[1]), 0);
        CHECK_INT(fd_read_to_end(ends[0], 100, &data, NULL), 0);
        CHECK_STR(data, "one two");
        CHECK_INT(close(ends[0]), 0);
}

TEST(errors_come_back) {
        _auto_close_ int full = open("/dev/full", O_WRONLY|O_CLOEXEC), directory = open("/", O_RDONLY|O_CLOEXEC);
        char *data = NULL;
        int ends[2];

        CHECK_INT(fd_write_all(full, "x", 1), -ENOSPC);
        CHECK_INT(fd_write_all(-1, "x", 1), -EBADF);
        CHECK_INT(fd_read_to_end(-1, 10, &data, NULL), -EBADF);
        CHECK_INT(fd_read_to_end(directory, 10, &data, NULL), -EISDIR);
        CHECK(!data);

        signal(SIGPIPE, SIG_IGN);
        CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
        CHECK_INT(close(ends[0]), 0);
        CHECK_INT(fd_write_all(ends[1], "x", 1), -EPIPE);
        CHECK_INT(close(ends[1]), 0);
}
