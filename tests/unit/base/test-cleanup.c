/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/test.h"

static bool is_open(int fd) {
        return fcntl(fd, F_GETFD) >= 0;
}

TEST(take_leaves_nothing_behind) {
        _auto_free_ char *owned = strdup("x"), *taken = NULL;
        int fd = 7;

        taken = take_ptr(owned);
        CHECK(!owned);
        CHECK_STR(taken, "x");
        CHECK_INT(take_fd(fd), 7);
        CHECK_INT(fd, -1);
}

TEST(descriptors_are_closed) {
        int number, kept;

        {
                _auto_close_ int fd = open("/dev/null", O_RDONLY|O_CLOEXEC);
                _auto_close_ int handed_over = open("/dev/null", O_RDONLY|O_CLOEXEC);

                number = fd;
                kept = take_fd(handed_over);
                REQUIRE(number >= 0 && kept >= 0);
                CHECK(is_open(number));
        }
        CHECK(!is_open(number));
        CHECK(is_open(kept));
        CHECK_INT(close(kept), 0);
}

TEST(streams_and_directories_may_be_missing) {
        _auto_fclose_ FILE *f = NULL;
        _auto_closedir_ DIR *d = NULL;
        _auto_close_ int fd = -1;
        _auto_free_ char *s = NULL;

        CHECK(!f && !d && !s && fd == -1);
        d = opendir("/");
        f = fopen("/dev/null", "re");
        CHECK(d && f);
}

TEST(extremes_evaluate_once) {
        int a = 1, b = 5;

        CHECK_INT(MIN_OF(a++, b), 1);
        CHECK_INT(a, 2);
        CHECK_INT(MAX_OF(a, b++), 5);
        CHECK_INT(b, 6);
}
