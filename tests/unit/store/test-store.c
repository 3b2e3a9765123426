/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include "tree.h"

TEST(names) {
        static const struct {
                const char *name;
                bool valid;
        } cases[] = {
                { "example.org",    true  },
                { "*.example.org",  true  },
                { "xn--bcher-kva",  true  },
                { "",               false },
                { ".",              false },
                { "..",             false },
                { ".hidden",        false },
                { "a/b",            false },
                { "../a",           false },
                { "a b",            false },
                { "a\nb",           false },
                { "b\xc3\xbc",      false },
                { "a\x7f",          false },
        };
        char name[300];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%zu", i);
                CHECK(store_name_is_valid(cases[i].name) == cases[i].valid);
        }
        test_case("length");
        CHECK(!store_name_is_valid(NULL));
        memset(name, 'a', sizeof(name));
        name[253] = '\0';
        CHECK(store_name_is_valid(name));
        name[253] = 'a';
        name[254] = '\0';
        CHECK(!store_name_is_valid(name));
}

TEST(open_makes_what_it_owns) {
        static const struct {
                const char *name;
                unsigned mode;
        } cases[] = {
                { "servers", 0750 }, { "domains", 0700 }, { "staging", 0700 }, { "archive", 0700 }, { "accounts", 0700 },
                { "tmp", 0700 }, { "challenges", 02750 }, { "ocsp", 02750 }, { "status", 02750 },
        };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = NULL;
        mode_t mask;

        mask = umask(0077);
        s = tree_open(&dir, STORE_ROLE_MANAGER);
        (void) umask(mask);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].name);
                CHECK_UINT(tree_mode(&dir, cases[i].name), cases[i].mode);
        }
        CHECK_STR(store_path(s), dir.path);
        CHECK_INT(store_role(s), STORE_ROLE_MANAGER);
        CHECK(!tmp_dir_has(&dir, "fallback"));
}

TEST(open_refuses) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        char path[PATH_MAX + 20];
        Store *s = NULL;

        static const struct {
                const char *path, *says;
        } cases[] = {
                { "relative/path", "absolute" },
                { "/nowhere/at/all", "systemd-tmpfiles --create md-manager.conf" },
                { "/dev/null", "not a directory" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_problem_ Problem *problem = NULL;

                test_case("%s", cases[i].path);
                CHECK_INT(store_open(cases[i].path, STORE_ROLE_MANAGER, &s, &problem), STORE_E_UNUSABLE);
                REQUIRE(problem);
                CHECK(strstr(problem->detail, cases[i].says));
                CHECK(strstr(problem->detail, cases[i].path));
                CHECK(!s);
        }

        test_case("a link to the store is followed");
        (void) snprintf(path, sizeof(path), "%s/link", dir.path);
        tree_put(&dir, "store/", NULL);
        CHECK(symlinkat("store", dir.fd, "link") == 0);
        CHECK_INT(store_open(path, STORE_ROLE_MANAGER, &s, NULL), 0);
        s = store_close(s);
        CHECK(tmp_dir_has(&dir, "store/domains"));
}

TEST(a_link_below_is_not_followed) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_problem_ Problem *problem = NULL;
        int fd = -1;

        tree_remove(&dir, "domains");
        CHECK(symlinkat("staging", dir.fd, "domains") == 0);
        CHECK_INT(store_open_dir(s, STORE_DOMAINS, &fd), DIR_E_NOT_DIRECTORY);
        CHECK_INT(store_open_writable(s, STORE_DOMAINS, (gid_t) -1, &fd), DIR_E_NOT_DIRECTORY);
        CHECK_INT(store_check(s, &problem), STORE_E_UNUSABLE);
        REQUIRE(problem);
        CHECK(strstr(problem->detail, "/domains"));
        CHECK_INT(fd, -1);
}

TEST(deleted_directories_come_back) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = NULL;
        char path[PATH_MAX + 20];
        int fd = -1;

        tree_put(&dir, "store/", NULL);
        (void) snprintf(path, sizeof(path), "%s/store/", dir.path);
        REQUIRE(store_open(path, STORE_ROLE_MANAGER, &s, NULL) == 0);

        tree_remove(&dir, "store/domains");
        CHECK_INT(store_open_dir(s, STORE_DOMAINS, &fd), DIR_E_NOT_FOUND);
        CHECK_INT(store_open_writable(s, STORE_DOMAINS, (gid_t) -1, &fd), 0);
        (void) close(take_fd(fd));

        tree_remove(&dir, "store");
        CHECK_INT(store_open_dir(s, STORE_DOMAINS, &fd), DIR_E_NOT_FOUND);
        CHECK_INT(store_check(s, NULL), STORE_E_UNUSABLE);
        tree_put(&dir, "store/", NULL);
        CHECK_INT(store_check(s, NULL), 0);
        CHECK_INT(store_open_dir(s, STORE_DOMAINS, &fd), 0);
        (void) close(take_fd(fd));
}

TEST(tidy_removes_what_a_crash_left) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        tree_put(&dir, "domains/example.org/job.json", "kept");
        tree_put(&dir, "domains/example.org/.job.json.a1b2c3", "torn");
        tree_put(&dir, "domains/example.org/.hidden", "somebody's");
        tree_put(&dir, "domains/example.com/.job.json.a1b2c3", "another's");
        CHECK_INT(store_tidy(s, STORE_DOMAINS, "example.org"), 0);
        CHECK(tree_holds(&dir, "domains/example.org/job.json", "kept"));
        CHECK(!tmp_dir_has(&dir, "domains/example.org/.job.json.a1b2c3"));
        CHECK(tmp_dir_has(&dir, "domains/example.org/.hidden"));
        CHECK(tmp_dir_has(&dir, "domains/example.com/.job.json.a1b2c3"));
        CHECK_INT(store_tidy(s, STORE_DOMAINS, "example.net"), 0);
        CHECK_INT(store_tidy(s, STORE_STAGING, "example.org"), 0);
        CHECK_INT(store_tidy(s, STORE_DOMAINS, "../domains"), 0);
}

TEST(server_asks_for_safe_directories) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_SERVER);
        int fd = -1;

        CHECK_UINT(tmp_dir_count(&dir, "."), 0);
        CHECK_INT(store_open_writable(s, STORE_DOMAINS, (gid_t) -1, &fd), DIR_E_NOT_FOUND);

        tree_put(&dir, "servers/", NULL);
        CHECK(fchmodat(dir.fd, "servers", 0770, 0) == 0);
        CHECK_INT(store_open_writable(s, STORE_SERVERS, (gid_t) -1, &fd), -EPERM);
        CHECK_INT(store_check(s, NULL), STORE_E_UNUSABLE);
        CHECK(fchmodat(dir.fd, "servers", 0750, 0) == 0);
        CHECK_INT(store_check(s, NULL), 0);

        CHECK(fchmod(dir.fd, 0775) == 0);
        CHECK_INT(store_open_writable(s, STORE_SERVERS, (gid_t) -1, &fd), -EPERM);
        CHECK_INT(store_check(s, NULL), STORE_E_UNUSABLE);
        CHECK(fchmod(dir.fd, 0755) == 0);

        CHECK(symlinkat("/tmp", dir.fd, "fallback") == 0);
        CHECK_INT(store_open_writable(s, STORE_FALLBACK, (gid_t) -1, &fd), DIR_E_NOT_DIRECTORY);
        CHECK_INT(store_check(s, NULL), STORE_E_UNUSABLE);
}

TEST(nothing_is_written_where_another_owns) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_SERVER);
        int fd = -1;

        if (geteuid() != 0)
                SKIP("only root can give a directory away");

        tree_put(&dir, "servers/", NULL);
        CHECK(fchownat(dir.fd, "servers", 12345, (gid_t) -1, 0) == 0);
        CHECK_INT(store_open_writable(s, STORE_SERVERS, (gid_t) -1, &fd), -EPERM);
        CHECK_INT(store_check(s, NULL), STORE_E_UNUSABLE);

        tree_put(&dir, "fallback/example.org/", NULL);
        CHECK(fchownat(dir.fd, "fallback/example.org", 12345, (gid_t) -1, 0) == 0);
        CHECK_INT(store_ensure_sub(s, STORE_FALLBACK, "example.org", 0700, &fd), -EPERM);
        CHECK_INT(fd, -1);
}

static bool manager_cannot_make(Store *s) {
        _auto_problem_ Problem *problem = NULL;
        int fd;

        return store_open_writable(s, STORE_DOMAINS, (gid_t) -1, &fd) == DIR_E_NOT_FOUND && store_check(s, &problem) == STORE_E_UNUSABLE &&
               problem && strstr(problem->detail, "/domains is missing; \"systemd-tmpfiles --create md-manager.conf\"");
}

static bool manager_cannot_write(Store *s) {
        _auto_problem_ Problem *problem = NULL;
        int fd;

        return store_open_writable(s, STORE_DOMAINS, (gid_t) -1, &fd) < 0 && store_check(s, &problem) == STORE_E_UNUSABLE &&
               problem && strstr(problem->detail, "/domains");
}

TEST(the_manager_is_not_root) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        if (geteuid() != 0)
                SKIP("only root can be another user");

        CHECK(fchmod(dir.fd, 0755) == 0);
        CHECK(fchownat(dir.fd, "servers", 0, TREE_USER, 0) == 0);
        CHECK(tree_as_user(manager_cannot_write, s));
        tree_remove(&dir, "domains");
        CHECK(tree_as_user(manager_cannot_make, s));
}
