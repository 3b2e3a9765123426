/* SPDX-License-Identifier: Apache-2.0 */
#include "targets/place.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "lib/tmp-dir.h"

static int replace(TmpDir *dir, const char *base, const char *text) {
        const TargetFile f = { .path = (char *) base, .uid = geteuid(), .gid = getegid(), .mode = 0640 };
        const Place p = { .dir_fd = dir->fd, .base = base };
        _auto_secret_ Secret *content = secret_new(text, strlen(text));

        if (!content)
                return -ENOMEM;
        return place_write(&p, &f, content, NULL);
}

static const struct {
        const char *name;
        bool ours;
} neighbours[] = {
        { ".cert.pem.md-targets.a1b2c3",  true  },
        { ".cert.pem.md-targets.backup",  true  }, /* has our word in it, too */
        { ".cert.pem.backup",             false },
        { ".cert.pem.210923",             false },
        { ".cert.pem.a1b2c3",             false },
        { ".cert.pem.old.backup",         false },
        { ".cert.pem",                    false },
        { ".other.pem.md-targets.a1b2c3", false },
        { "cert.pem.md-targets.a1b2c3",   false },
        { "cert.pem.backup",              false },
};

/* What a crash left of the file goes, and nothing else. */
TEST(only_its_own_temporaries_go) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_free_ char *text = NULL;

        for (size_t i = 0; i < ELEMENTSOF(neighbours); i++)
                tmp_dir_write(&dir, neighbours[i].name, "mine");
        CHECK_INT(replace(&dir, "cert.pem", "new"), 0);
        text = tmp_dir_read(&dir, "cert.pem");
        CHECK_STR(text, "new");
        for (size_t i = 0; i < ELEMENTSOF(neighbours); i++) {
                test_case("%s", neighbours[i].name);
                CHECK_INT(tmp_dir_has(&dir, neighbours[i].name), !neighbours[i].ours);
        }
}

TEST(directories_are_not_replaced) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();

        REQUIRE(mkdirat(dir.fd, "cert.pem", 0700) == 0);
        CHECK_INT(replace(&dir, "cert.pem", "new"), -EINVAL);
        CHECK_UINT(tmp_dir_count(&dir, "."), 1);
}
