/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bundle.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "lib/test.h"

#define BYTES(s) s, sizeof(s) - 1

static int memory(void) {
        return memfd_create("test", MFD_CLOEXEC);
}

static Secret *content(int fd) {
        off_t size = lseek(fd, 0, SEEK_END);
        _auto_free_ char *bytes = malloc((size_t) size + 1);

        return bytes && pread(fd, bytes, (size_t) size, 0) == size ? secret_new(bytes, (size_t) size) : NULL;
}

TEST(round_trip) {
        _auto_close_ int b = memory();
        _auto_bundle_ Bundle bundle = { 0 };
        const BundleFile *f;

        CHECK_INT(bundle_write(b, "md.json", "{}", 2), 0);
        CHECK_INT(bundle_write(b, "empty", "", 0), 0);
        CHECK_INT(bundle_write(b, "*.example.org/key", "a\0\nb 7 x\n", 9), 0);
        REQUIRE(bundle_parse(content(b), &bundle) == 0);
        CHECK_UINT(bundle.n, 3);
        f = bundle_find(&bundle, "md.json");
        REQUIRE(f);
        CHECK_STR(f->data, "{}");
        f = bundle_find(&bundle, "empty");
        REQUIRE(f);
        CHECK_UINT(f->size, 0);
        CHECK_STR(f->data, "");
        f = bundle_find(&bundle, "*.example.org/key");
        REQUIRE(f);
        CHECK_UINT(f->size, 9);
        CHECK_MEM(f->data, "a\0\nb 7 x\n", 10);
        CHECK(!bundle_find(&bundle, "md"));
}

static const struct {
        const char *what;
        const char *data;
        size_t size;
        int n; /* files; -1: refused */
} cases[] = {
        { "nothing",               BYTES(""),                          0  },
        { "one",                   BYTES("2 a\nhi\0"),                 1  },
        { "two",                   BYTES("2 a\nhi\0" "0 b\n\0"),       2  },
        { "twice",                 BYTES("2 a\nhi\0" "0 a\n\0"),       -1 },
        { "no size",               BYTES(" a\nhi\0"),                  -1 },
        { "no digits",             BYTES("x a\nhi\0"),                 -1 },
        { "negative",              BYTES("-2 a\nhi\0"),                -1 },
        { "zero in front",         BYTES("02 a\nhi\0"),                -1 },
        { "hexadecimal",           BYTES("0x2 a\nhi\0"),               -1 },
        { "too many digits",       BYTES("18446744073709551618 a\nhi\0"), -1 },
        { "longer than is there",  BYTES("3 a\nhi\0"),                 -1 },
        { "much longer",           BYTES("1048576 a\nhi\0"),           -1 },
        { "larger than may be",    BYTES("1048577 a\nhi\0"),           -1 },
        { "shorter than is there", BYTES("1 a\nhi\0"),                 -1 },
        { "no NUL byte behind",    BYTES("2 a\nhi"),                   -1 },
        { "another byte behind",   BYTES("2 a\nhi\n"),                 -1 },
        { "no name",               BYTES("2 \nhi\0"),                  -1 },
        { "no line break",         BYTES("2 a"),                       -1 },
        { "size alone",            BYTES("2"),                         -1 },
        { "blank in the name",     BYTES("2 a b\nhi\0"),               -1 },
        { "NUL in the name",       BYTES("2 a\0b\nhi\0"),              -1 },
        { "escape in the name",    BYTES("2 a\x1b[31m\nhi\0"),         -1 },
        { "foreign name",          BYTES("2 \xc3\xa4\nhi\0"),          -1 },
        { "bytes at the end",      BYTES("2 a\nhi\0" "\n"),            -1 },
};

TEST(parsing) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_bundle_ Bundle b = { 0 };
                int r;

                test_case("%s", cases[i].what);
                r = bundle_parse(secret_new(cases[i].data, cases[i].size), &b);
                CHECK_INT(r == 0 ? (int) b.n : -1, cases[i].n);
                CHECK(r == 0 || !b.bytes);
        }
}

TEST(ceilings) {
        _auto_close_ int b = memory();
        _auto_bundle_ Bundle bundle = { 0 };
        _auto_free_ char *large = calloc(1, BUNDLE_FILE_MAX + 1);
        char name[BUNDLE_NAME_MAX + 2];

        REQUIRE(large);
        CHECK_INT(bundle_write(b, "large", large, BUNDLE_FILE_MAX + 1), BUNDLE_E_INVALID);
        memset(name, 'a', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        CHECK_INT(bundle_write(b, name, "", 0), BUNDLE_E_INVALID);
        CHECK_INT(bundle_write(b, "a\nb", "", 0), BUNDLE_E_INVALID);
        name[BUNDLE_NAME_MAX] = '\0';
        CHECK_INT(bundle_write(b, name, "", 0), 0);
        for (int i = 1; i < BUNDLE_FILES_MAX; i++) {
                (void) snprintf(name, sizeof(name), "%d", i);
                CHECK_INT(bundle_write(b, name, "x", 1), 0);
        }
        CHECK_INT(bundle_parse(content(b), &bundle), 0);
        CHECK_UINT(bundle.n, BUNDLE_FILES_MAX);
        bundle_done(&bundle);
        CHECK_INT(bundle_write(b, "one-more", "x", 1), 0);
        CHECK_INT(bundle_parse(content(b), &bundle), BUNDLE_E_INVALID);
}

TEST(too_large) {
        _auto_close_ int b = memory();
        _auto_bundle_ Bundle bundle = { 0 };
        _auto_free_ char *large = calloc(1, BUNDLE_FILE_MAX);
        char name[16];

        REQUIRE(large);
        for (int i = 0; i < BUNDLE_SIZE_MAX / BUNDLE_FILE_MAX; i++) {
                (void) snprintf(name, sizeof(name), "%d", i);
                CHECK_INT(bundle_write(b, name, large, BUNDLE_FILE_MAX), 0);
        }
        CHECK_INT(bundle_parse(content(b), &bundle), BUNDLE_E_INVALID);
}

/* What is no sealed memory is not read. */
TEST(sealed) {
        static const char *const devices[] = { "/dev/zero", "/dev/null", "/proc/self/maps", "/" };
        _auto_close_ int sealed = memfd_create("test", MFD_CLOEXEC|MFD_ALLOW_SEALING), open_one = memfd_create("test", MFD_CLOEXEC|MFD_ALLOW_SEALING),
                         huge = memfd_create("test", MFD_CLOEXEC|MFD_ALLOW_SEALING);
        _auto_bundle_ Bundle bundle = { 0 };
        int pipes[2];

        CHECK_INT(bundle_write(sealed, "a", "b", 1), 0);
        CHECK_INT(bundle_seal(sealed), 0);
        CHECK_INT(write(sealed, "x", 1), -1);
        CHECK_INT(bundle_read(sealed, &bundle), 0);
        REQUIRE(bundle.n == 1);
        CHECK_STR(bundle.files[0].data, "b");
        bundle_done(&bundle);

        CHECK_INT(bundle_write(open_one, "a", "b", 1), 0);
        CHECK_INT(bundle_read(open_one, &bundle), BUNDLE_E_INVALID);
        CHECK_INT(fcntl(open_one, F_ADD_SEALS, F_SEAL_SHRINK|F_SEAL_GROW), 0); /* its content can change */
        CHECK_INT(bundle_read(open_one, &bundle), BUNDLE_E_INVALID);
        CHECK_INT(ftruncate(huge, (off_t) BUNDLE_SIZE_MAX + 1), 0);
        CHECK_INT(bundle_seal(huge), 0);
        CHECK_INT(bundle_read(huge, &bundle), BUNDLE_E_INVALID);
        CHECK_INT(bundle_read(-1, &bundle), BUNDLE_E_INVALID);
        for (size_t i = 0; i < ELEMENTSOF(devices); i++) {
                _auto_close_ int fd = open(devices[i], O_RDONLY|O_CLOEXEC);

                test_case("%s", devices[i]);
                CHECK_INT(bundle_read(fd, &bundle), BUNDLE_E_INVALID);
        }
        REQUIRE(pipe(pipes) == 0); /* nobody writes: whoever reads it would wait */
        CHECK_INT(bundle_read(pipes[0], &bundle), BUNDLE_E_INVALID);
        (void) close(pipes[0]);
        (void) close(pipes[1]);
}
