/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "apr_general.h"

#include "base/macro.h"
#include "lib/test.h"

static apr_pool_t *pool_new(void) {
        apr_pool_t *p = NULL;

        (void) apr_initialize();
        (void) apr_pool_create(&p, NULL);
        return p;
}

TEST(unit_from_cgroup) {
        static const struct {
                const char *what, *text, *unit;
        } cases[] = {
                { "unified", "0::/system.slice/apache2.service\n", "apache2.service" },
                { "instance", "0::/system.slice/system-apache2.slice/apache2@b.service\n", "apache2@b.service" },
                { "escaped instance", "0::/system.slice/apache2@a\\x2db.service\n", "apache2@a\\x2db.service" },
                { "cgroup below the unit", "0::/system.slice/httpd.service/workers\n", "httpd.service" },
                { "no newline", "0::/system.slice/httpd.service", "httpd.service" },
                { "legacy", "12:pids:/x.service\n1:name=systemd:/system.slice/apache2.service\n", "apache2.service" },
                { "mixed", "1:name=systemd:/system.slice/apache2.service\n0::/\n", "apache2.service" },
                { "mixed, both", "0::/system.slice/a.service\n1:name=systemd:/system.slice/b.service", "b.service" },
                { "container in a service", "0::/system.slice/docker.service/system.slice/httpd.service", "httpd.service" },
                { "session", "0::/user.slice/user-0.slice/session-3.scope\n", NULL },
                { "unit of a user", "0::/user.slice/user-0.slice/user@0.service/app.slice/a.service\n", NULL },
                { "container", "0::/\n", NULL },
                { "another hierarchy", "4:memory:/system.slice/apache2.service\n", NULL },
                { "suffix only", "0::/system.slice/.service\n", NULL },
                { "nothing", "", NULL },
                { "garbage", ":::\n\n/\n0:\n", NULL },
        };
        apr_pool_t *p = pool_new();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].what);
                CHECK_STR(unit_from_cgroup(p, cases[i].text), cases[i].unit);
        }
        apr_pool_destroy(p);
}

TEST(snapshot_id) {
        apr_pool_t *p = pool_new();
        const char *a, *b;

        CHECK_STR(unit_snapshot_id(p, "apache2.service", "/etc/apache2", "apache2.conf"), "apache2");
        CHECK_STR(unit_snapshot_id(p, "apache2@a\\x2db.service", "/etc/apache2", "apache2.conf"), "apache2@a\\x2db");

        a = unit_snapshot_id(p, NULL, "/etc/apache2", "apache2.conf");
        b = unit_snapshot_id(p, NULL, "/etc/apache2", "other.conf");
        CHECK(strncmp(a, "httpd-", 6) == 0);
        CHECK_UINT(strlen(a), 6 + 16);
        CHECK(strcmp(a, b) != 0);
        CHECK_STR(unit_snapshot_id(p, NULL, "/etc/apache2", "apache2.conf"), a);
        CHECK_STR(unit_snapshot_id(p, "..service", "/etc/apache2", "apache2.conf"), a);
        apr_pool_destroy(p);
}
