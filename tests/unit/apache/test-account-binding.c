/* SPDX-License-Identifier: Apache-2.0 */
#include "account-binding.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apr_general.h"
#include "apr_strings.h"

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"

static char directory[] = "/tmp/test-account-binding.XXXXXX";

static apr_pool_t *pool_new(void) {
        apr_pool_t *p = NULL;

        (void) apr_initialize();
        (void) apr_pool_create(&p, NULL);
        return p;
}

static const char *write_file(apr_pool_t *p, const char *text, size_t size, mode_t mode) {
        const char *path = apr_psprintf(p, "%s/eab.json", directory);
        _auto_close_ int fd = -1;

        (void) unlink(path);
        fd = open(path, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);
        CHECK(fd >= 0 && write(fd, text, size) == (ssize_t) size && fchmod(fd, mode) == 0);
        return path;
}

TEST(values_of_a_file) {
        static const char text[] = "{\"kid\": \"customer 1\", \"hmac\": \"c2VjcmV0\", \"other\": 1}";
        const char *kid = NULL, *hmac = NULL;
        apr_pool_t *p = pool_new();
        int open_to_all = -1;

        REQUIRE(mkdtemp(directory));
        CHECK(!account_binding_read(p, write_file(p, text, strlen(text), 0640), &kid, &hmac, &open_to_all));
        CHECK_STR(kid, "customer 1");
        CHECK_STR(hmac, "c2VjcmV0");
        CHECK_INT(open_to_all, 0);
        CHECK(!account_binding_read(p, write_file(p, text, strlen(text), 0644), &kid, &hmac, &open_to_all));
        CHECK_INT(open_to_all, 1);
        apr_pool_destroy(p);
}

TEST(files_that_are_none) {
        static const struct {
                const char *what, *text, *complaint;
        } cases[] = {
                { "empty", "", "is not JSON" },
                { "no JSON", "kid: a", "is not JSON" },
                { "no object", "[]", "is not JSON" },
                { "torn", "{\"kid\": \"a\"", "is not JSON" },
                { "no kid", "{\"hmac\": \"a\"}", "no text \"kid\"" },
                { "empty kid", "{\"kid\": \"\", \"hmac\": \"a\"}", "no text \"kid\"" },
                { "no hmac", "{\"kid\": \"a\"}", "no text \"hmac\"" },
                { "hmac is a number", "{\"kid\": \"a\", \"hmac\": 3}", "no text \"hmac\"" },
        };
        const char *kid = "kept", *hmac = "kept";
        apr_pool_t *p = pool_new();
        int open_to_all = 0;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *path = write_file(p, cases[i].text, strlen(cases[i].text), 0600), *why;

                test_case("%s", cases[i].what);
                why = account_binding_read(p, path, &kid, &hmac, &open_to_all);
                REQUIRE(why);
                CHECK(strstr(why, cases[i].complaint));
                CHECK(strstr(why, path));
        }
        apr_pool_destroy(p);
}

TEST(files_that_cannot_be_read) {
        const char *kid = NULL, *hmac = NULL, *why;
        apr_pool_t *p = pool_new();
        int open_to_all = 0;
        char *large;

        why = account_binding_read(p, apr_psprintf(p, "%s/none", directory), &kid, &hmac, &open_to_all);
        CHECK(why && strstr(why, "No such file"));
        why = account_binding_read(p, directory, &kid, &hmac, &open_to_all);
        CHECK(why && strstr(why, "is not a file"));

        large = calloc(1, 70000);
        REQUIRE(large);
        memset(large, ' ', 69999);
        why = account_binding_read(p, write_file(p, large, 69999, 0600), &kid, &hmac, &open_to_all);
        CHECK(why && strstr(why, "larger than 64 KiB"));
        free(large);

        (void) unlink(apr_psprintf(p, "%s/eab.json", directory));
        (void) rmdir(directory);
        apr_pool_destroy(p);
}
