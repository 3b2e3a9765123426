/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rename.h"

#include "store/lock.h"
#include "tree.h"

#define OLD "a.org"
#define NEW "www.a.org"

static void put_all(TmpDir *dir) {
        tree_put(dir, "domains/" OLD "/pubcert.pem", "LIVE");
        tree_put(dir, "staging/" OLD "/pubcert.pem", "STAGED");
        tree_put(dir, "reserve/" OLD "/pubcert.pem", "RESERVE");
        tree_put(dir, "outbox/" OLD "/outbox.json", "OUTBOX");
}

static void check_renamed(TmpDir *dir) {
        CHECK(tree_holds(dir, "domains/" NEW "/pubcert.pem", "LIVE"));
        CHECK(tree_holds(dir, "staging/" NEW "/pubcert.pem", "STAGED"));
        CHECK(tree_holds(dir, "reserve/" NEW "/pubcert.pem", "RESERVE"));
        CHECK(tree_holds(dir, "outbox/" NEW "/outbox.json", "OUTBOX"));
        CHECK_UINT(tree_mode(dir, "domains/" OLD), 0);
        CHECK_UINT(tree_mode(dir, "staging/" OLD), 0);
        CHECK_UINT(tree_mode(dir, "reserve/" OLD), 0);
}

TEST(all_of_it) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        put_all(&dir);
        tree_put(&dir, "archive/" OLD ".1/pubcert.pem", "ARCHIVED");
        tree_put(&dir, "reserve/" NEW "/pubcert.pem", "of another time");
        CHECK_INT(store_rename(s, OLD, NEW), STORE_RENAME_DONE);
        check_renamed(&dir);
        CHECK(tree_holds(&dir, "archive/" OLD ".1/pubcert.pem", "ARCHIVED"));
        CHECK_INT(store_rename(s, OLD, NEW), STORE_RENAME_E_NOT_FOUND);
}

TEST(live_alone) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        tree_put(&dir, "domains/" OLD "/pubcert.pem", "LIVE");
        CHECK_INT(store_rename(s, OLD, NEW), STORE_RENAME_DONE);
        CHECK(tree_holds(&dir, "domains/" NEW "/pubcert.pem", "LIVE"));
}

TEST(what_is_refused) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        put_all(&dir);
        tree_put(&dir, "domains/" NEW "/pubcert.pem", "OTHER");
        CHECK_INT(store_rename(s, OLD, NEW), STORE_RENAME_E_EXISTS);
        CHECK_INT(store_rename(s, OLD, "../b.org"), STORE_RENAME_E_NOT_FOUND);
        CHECK_INT(store_rename(s, "..", "b.org"), STORE_RENAME_E_NOT_FOUND);
        CHECK(tree_holds(&dir, "domains/" OLD "/pubcert.pem", "LIVE"));
        CHECK(tree_holds(&dir, "staging/" OLD "/pubcert.pem", "STAGED"));
        CHECK(tree_holds(&dir, "domains/" NEW "/pubcert.pem", "OTHER"));
}

TEST(while_a_server_reads) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *server = tree_open(&dir, STORE_ROLE_SERVER), *s = tree_open(&dir, STORE_ROLE_MANAGER);
        int fd = -1;

        put_all(&dir);
        tree_put(&dir, "servers/", NULL);
        REQUIRE(store_lock_shared(server, &fd) == 0);
        CHECK_INT(store_rename(s, OLD, NEW), STORE_RENAME_E_BUSY);
        CHECK(tree_holds(&dir, "staging/" OLD "/pubcert.pem", "STAGED"));
        (void) close(fd);
        CHECK_INT(store_rename(s, OLD, NEW), STORE_RENAME_DONE);
        check_renamed(&dir);
}

static void die_behind(const char *done, void *userdata) {
        if (strcmp(done, userdata) == 0)
                _exit(0);
}

TEST(a_crash_in_between) {
        static const char *const steps[] = { "staging renamed", "reserve renamed" };

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
                pid_t pid;
                int status;

                test_case("%s", steps[i]);
                put_all(&dir);
                pid = fork();
                if (pid == 0) {
                        s->on_step = die_behind;
                        s->userdata = (void *) steps[i];
                        (void) store_rename(s, OLD, NEW);
                        _exit(1);
                }
                REQUIRE(waitpid(pid, &status, 0) == pid);
                CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
                CHECK(tree_holds(&dir, "domains/" OLD "/pubcert.pem", "LIVE"));
                CHECK_INT(store_rename(s, OLD, NEW), STORE_RENAME_DONE);
                check_renamed(&dir);
        }
}
