/* SPDX-License-Identifier: Apache-2.0 */
#include "store/activate.h"

#include "base/strv.h"
#include "store/lock.h"
#include "tree.h"

#define NAME "example.org"

static const KeySpecs specs = {};

static void put_set(TmpDir *dir, const char *where, const char *which) {
        char path[600];

        (void) snprintf(path, sizeof(path), "%s/privkey.pem", where);
        tree_put(dir, path, which);
        (void) snprintf(path, sizeof(path), "%s/pubcert.pem", where);
        tree_put(dir, path, which);
}

static bool holds_set(TmpDir *dir, const char *where, const char *which) {
        char key[600], cert[600];

        (void) snprintf(key, sizeof(key), "%s/privkey.pem", where);
        (void) snprintf(cert, sizeof(cert), "%s/pubcert.pem", where);
        return tree_holds(dir, key, which) && tree_holds(dir, cert, which);
}

typedef enum Before {
        BEFORE_NONE, /* no domains/NAME */
        BEFORE_BARE, /* one without certificate */
        BEFORE_LIVE,
        _BEFORE_MAX,
} Before;

static void put_before(TmpDir *dir, Before before) {
        put_set(dir, "staging/" NAME, "new");
        tree_put(dir, "staging/" NAME "/.pubcert.pem.abc123", "torn");
        if (before >= BEFORE_BARE) {
                tree_put(dir, "domains/" NAME "/md.json", "{\"name\": \"example.org\"}");
                tree_put(dir, "domains/" NAME "/job.json", "{\"errors\": 3}");
        }
        if (before == BEFORE_LIVE)
                put_set(dir, "domains/" NAME, "old");
}

static void check_activated(TmpDir *dir, Before before) {
        CHECK(holds_set(dir, "domains/" NAME, "new"));
        CHECK(!tmp_dir_has(dir, "domains/" NAME "/.pubcert.pem.abc123"));
        CHECK_UINT(tmp_dir_count(dir, "tmp"), 0);
        CHECK_UINT(tmp_dir_count(dir, "staging"), 0);
        CHECK_UINT(tmp_dir_count(dir, "archive"), before == BEFORE_LIVE ? 1 : 0);
        if (before == BEFORE_LIVE) {
                CHECK(holds_set(dir, "archive/" NAME ".1", "old"));
                CHECK_UINT(tree_mode(dir, "archive/" NAME ".1"), 0700);
        }
        if (before >= BEFORE_BARE) {
                CHECK(tree_holds(dir, "domains/" NAME "/md.json", "{\"name\": \"example.org\"}"));
                CHECK(tree_holds(dir, "domains/" NAME "/job.json", "{\"errors\": 3}"));
        }
}

TEST(activate) {
        for (unsigned i = 0; i < 2 * _BEFORE_MAX; i++) {
                _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

                test_case("before %u, %s exchange", i / 2, i % 2 ? "without" : "with");
                s->without_exchange = i % 2;
                put_before(&dir, i / 2);
                CHECK_INT(store_activate(s, NAME, &specs), 0);
                check_activated(&dir, i / 2);
                CHECK(!tmp_dir_has(&dir, "domains/" NAME "/activated"));
        }
}

TEST(incomplete) {
        static const char *const removed[] = { "staging", "staging/" NAME, "staging/" NAME "/privkey.pem", "staging/" NAME "/pubcert.pem" };
        KeySpecs two = { .items = { { .type = KEY_TYPE_RSA }, { .type = KEY_TYPE_EC, .curve = "P-256" } }, .n = 2 };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        for (size_t i = 0; i < ELEMENTSOF(removed); i++) {
                test_case("without %s", removed[i]);
                put_before(&dir, BEFORE_LIVE);
                tree_remove(&dir, removed[i]);
                CHECK_INT(store_activate(s, NAME, &specs), STORE_ACTIVATE_E_INCOMPLETE);
                CHECK(holds_set(&dir, "domains/" NAME, "old"));
        }

        test_case("empty file");
        put_before(&dir, BEFORE_LIVE);
        tree_put(&dir, "staging/" NAME "/privkey.pem", "");
        CHECK_INT(store_activate(s, NAME, &specs), STORE_ACTIVATE_E_INCOMPLETE);

        test_case("second key");
        put_before(&dir, BEFORE_LIVE);
        CHECK_INT(store_activate(s, NAME, &two), STORE_ACTIVATE_E_INCOMPLETE);
        tree_put(&dir, "staging/" NAME "/privkey.p-256.pem", "new");
        tree_put(&dir, "staging/" NAME "/pubcert.p-256.pem", "new");
        CHECK_INT(store_activate(s, NAME, &two), 0);
        CHECK(tmp_dir_has(&dir, "domains/" NAME "/pubcert.p-256.pem"));

        test_case("no name");
        CHECK_INT(store_activate(s, "..", &specs), STORE_ACTIVATE_E_INCOMPLETE);
        CHECK_INT(store_activate(s, "a/b", &specs), STORE_ACTIVATE_E_INCOMPLETE);
}

TEST(busy) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER), *server = tree_open(&dir, STORE_ROLE_SERVER);
        _auto_close_ int lock_fd = -1;

        put_before(&dir, BEFORE_LIVE);
        CHECK_INT(store_lock_shared(server, &lock_fd), 0);
        CHECK_INT(store_activate(s, NAME, &specs), STORE_ACTIVATE_E_BUSY);
        CHECK(holds_set(&dir, "domains/" NAME, "old"));
        CHECK(holds_set(&dir, "staging/" NAME, "new"));
        CHECK_INT(store_activate_recover(s, NULL), 0);
        CHECK(holds_set(&dir, "staging/" NAME, "new"));

        (void) close(take_fd(lock_fd));
        CHECK_INT(store_activate(s, NAME, &specs), 0);
        check_activated(&dir, BEFORE_LIVE);
}

/* ---- a machine that stops behind the n-th step ---- */

static void stop_at_zero(const char *done, void *userdata) {
        unsigned *left = userdata;

        if ((*left)-- == 0)
                _exit(77);
}

/* True: it stopped. */
static bool run_until(TmpDir *dir, bool without_exchange, bool recover, unsigned stop) {
        int status = 0;
        pid_t pid;

        (void) fflush(stdout);
        pid = fork();
        if (pid == 0) {
                Store *s = tree_open(dir, STORE_ROLE_MANAGER);
                int r;

                s->on_step = stop_at_zero;
                s->userdata = &stop;
                s->without_exchange = without_exchange;
                r = recover ? store_activate_recover(s, NULL) : store_activate(s, NAME, &specs);
                _exit(r == 0 ? 0 : 1);
        }
        CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 0);
        return WEXITSTATUS(status) == 77;
}

static unsigned count_sets(TmpDir *dir, const char *which) {
        static const char *const places[] = { "domains/" NAME, "staging/" NAME, "tmp/" NAME, "archive/" NAME ".1", "archive/" NAME ".2" };
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                n += holds_set(dir, places[i], which);
        return n;
}

/* The old or the new set, whole, and nothing lost: the new one is live or staged, the old one live or archived. */
static void check_recovered(TmpDir *dir, Before before) {
        bool new_is_live = holds_set(dir, "domains/" NAME, "new");

        CHECK_UINT(tmp_dir_count(dir, "tmp"), 0);
        CHECK_UINT(count_sets(dir, "new"), 1);
        CHECK_UINT(count_sets(dir, "old"), before == BEFORE_LIVE ? 1 : 0);
        CHECK(new_is_live || holds_set(dir, "staging/" NAME, "new"));
        if (before == BEFORE_LIVE)
                CHECK(holds_set(dir, new_is_live ? "archive/" NAME ".1" : "domains/" NAME, "old"));
        if (before >= BEFORE_BARE) {
                CHECK(tree_holds(dir, "domains/" NAME "/md.json", "{\"name\": \"example.org\"}"));
                CHECK(tree_holds(dir, "domains/" NAME "/job.json", "{\"errors\": 3}"));
        }
}

/* Returns whether there was such a step. */
static bool crash_once(Before before, bool without_exchange, unsigned stop, unsigned stop_recovery) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        bool stopped;

        test_case("before %u, %s exchange, stop %u, recovery stops %u", before, without_exchange ? "without" : "with", stop, stop_recovery);
        put_before(&dir, before);
        stopped = run_until(&dir, without_exchange, false, stop);

        (void) run_until(&dir, without_exchange, true, stop_recovery);
        CHECK_INT(store_activate_recover(s, NULL), 0);
        check_recovered(&dir, before);

        /* And on it goes as if nothing had happened. */
        s->without_exchange = without_exchange;
        if (!holds_set(&dir, "domains/" NAME, "new"))
                CHECK_INT(store_activate(s, NAME, &specs), 0);
        check_activated(&dir, before);

        /* A mark may have stayed in the live set; it misleads nobody. */
        put_set(&dir, "staging/" NAME, "newer");
        CHECK(run_until(&dir, without_exchange, false, stop) == stopped || before != BEFORE_LIVE);
        CHECK_INT(store_activate_recover(s, NULL), 0);
        CHECK_UINT(count_sets(&dir, "newer"), 1);
        CHECK_UINT(count_sets(&dir, "new"), 1);
        CHECK(holds_set(&dir, "domains/" NAME, "newer") || holds_set(&dir, "domains/" NAME, "new"));
        return stopped;
}

TEST(crash_at_every_step) {
        for (Before before = 0; before < _BEFORE_MAX; before++)
                for (unsigned without_exchange = 0; without_exchange < 2; without_exchange++) {
                        unsigned stop = 0;

                        while (crash_once(before, without_exchange, stop, 0) && crash_once(before, without_exchange, stop, 99))
                                stop++;
                        CHECK(stop >= 5);
                }
}

/* Somebody deletes domains/NAME between the crash and the recovery: whatever whole set there is takes its place. */
TEST(crash_and_the_live_set_is_deleted) {
        for (unsigned without_exchange = 0; without_exchange < 2; without_exchange++)
                for (unsigned stop = 0;; stop++) {
                        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
                        bool stopped;

                        test_case("%s exchange, stop %u", without_exchange ? "without" : "with", stop);
                        put_before(&dir, BEFORE_LIVE);
                        stopped = run_until(&dir, without_exchange, false, stop);
                        tree_remove(&dir, "domains/" NAME);
                        CHECK_INT(store_activate_recover(s, NULL), 0);
                        CHECK_UINT(tmp_dir_count(&dir, "tmp"), 0);
                        CHECK(count_sets(&dir, "new") + count_sets(&dir, "old") >= 1);
                        if (!stopped)
                                break;
                }
}

/* An activation finds what an earlier one left, without a recovery in between. */
TEST(activate_mends_first) {
        for (unsigned without_exchange = 0; without_exchange < 2; without_exchange++)
                for (unsigned stop = 0;; stop++) {
                        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

                        test_case("%s exchange, stop %u", without_exchange ? "without" : "with", stop);
                        put_before(&dir, BEFORE_LIVE);
                        if (!run_until(&dir, without_exchange, false, stop))
                                break;
                        put_set(&dir, "staging/" NAME, "newer");
                        CHECK_INT(store_activate(s, NAME, &specs), 0);
                        CHECK(holds_set(&dir, "domains/" NAME, "newer"));
                        CHECK_UINT(tmp_dir_count(&dir, "staging"), 0);
                        CHECK(count_sets(&dir, "old") == 1);
                        CHECK(tree_holds(&dir, "domains/" NAME "/job.json", "{\"errors\": 3}"));
                }
}

TEST(recover_names_what_it_mended) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_strv_ char **names = NULL, **none = NULL;

        put_set(&dir, "tmp/a.example", "old");
        put_set(&dir, "tmp/b.example", "old");
        put_set(&dir, "domains/b.example", "new");
        tree_put(&dir, "domains/b.example/activated", "");
        tmp_dir_write(&dir, "tmp/stray", "file");
        tree_put(&dir, "tmp/.old.bare00/job.json", "{}");

        CHECK_INT(store_activate_recover(s, &names), 0);
        CHECK_UINT(strv_length(names), 3);
        CHECK(strv_contains(names, "a.example"));
        CHECK(holds_set(&dir, "domains/a.example", "old"));
        CHECK(holds_set(&dir, "domains/b.example", "new"));
        CHECK(holds_set(&dir, "archive/b.example.1", "old"));
        CHECK(!tmp_dir_has(&dir, "domains/b.example/activated"));
        CHECK_UINT(tmp_dir_count(&dir, "tmp"), 0);
        CHECK_INT(store_activate_recover(s, &none), 0);
        CHECK_UINT(strv_length(none), 0);
}

TEST(directories_deleted_by_hand) {
        static const char *const removed[] = { "archive", "tmp", "domains", "servers" };

        for (size_t i = 0; i < ELEMENTSOF(removed); i++) {
                _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

                test_case("%s", removed[i]);
                put_before(&dir, BEFORE_LIVE);
                tree_remove(&dir, removed[i]);
                CHECK_INT(store_activate(s, NAME, &specs), 0);
                CHECK(holds_set(&dir, "domains/" NAME, "new"));
        }
}

TEST(strange_things_in_the_way) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        test_case("domains/NAME is a file, tmp/NAME is a link");
        put_set(&dir, "staging/" NAME, "new");
        tmp_dir_write(&dir, "domains/" NAME, "a file");
        CHECK(symlinkat("/", dir.fd, "tmp/" NAME) == 0);
        CHECK_INT(store_activate(s, NAME, &specs), 0);
        CHECK(holds_set(&dir, "domains/" NAME, "new"));
        CHECK_UINT(tmp_dir_count(&dir, "tmp"), 0);
        CHECK_UINT(tmp_dir_count(&dir, "archive"), 0);

        test_case("staging/NAME is a link");
        CHECK(symlinkat("../domains/" NAME, dir.fd, "staging/" NAME) == 0);
        CHECK_INT(store_activate(s, NAME, &specs), STORE_ACTIVATE_E_INCOMPLETE);

        test_case("job.json is torn, md.json is a link");
        tree_remove(&dir, "staging/" NAME);
        put_set(&dir, "staging/" NAME, "newer");
        tree_put(&dir, "domains/" NAME "/job.json", "{\"errors\": ");
        CHECK(symlinkat("job.json", dir.fd, "domains/" NAME "/md.json") == 0);
        CHECK_INT(store_activate(s, NAME, &specs), 0);
        CHECK(holds_set(&dir, "domains/" NAME, "newer"));
        CHECK(!tmp_dir_has(&dir, "domains/" NAME "/md.json"));
}

static bool activate_fails(Store *s) {
        return store_activate(s, NAME, &specs) < 0;
}

TEST(disk_full) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        put_before(&dir, BEFORE_LIVE);
        CHECK(tree_when_disk_is_full(activate_fails, s, 3));
        CHECK(holds_set(&dir, "domains/" NAME, "old"));
        CHECK(holds_set(&dir, "staging/" NAME, "new"));
        CHECK_UINT(tmp_dir_count(&dir, "staging/" NAME), 2);
        CHECK_INT(store_activate(s, NAME, &specs), 0);
        check_activated(&dir, BEFORE_LIVE);
}

/* ---- the archive ---- */

TEST(slots) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        put_set(&dir, "archive/" NAME ".999", "ancient");
        put_set(&dir, "archive/" NAME ".7", "ancient");
        put_set(&dir, "archive/" NAME ".x", "other");
        put_set(&dir, "archive/sub." NAME ".5000", "other");
        put_set(&dir, "archive/" NAME ".99999999999999999999999", "other");
        tmp_dir_write(&dir, "archive/" NAME ".1000", "a stray file");

        put_before(&dir, BEFORE_LIVE);
        CHECK_INT(store_activate(s, NAME, &specs), 0);
        CHECK(holds_set(&dir, "archive/" NAME ".1001", "old"));

        put_set(&dir, "staging/" NAME, "newer");
        CHECK_INT(store_activate(s, NAME, &specs), 0);
        CHECK(holds_set(&dir, "archive/" NAME ".1002", "new"));
}

TEST(the_longest_names) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        char name[254], path[300];

        memset(name, 'a', sizeof(name));
        name[253] = '\0';
        for (unsigned i = 0; i < 12; i++) {
                (void) snprintf(path, sizeof(path), "staging/%s", name);
                tree_put(&dir, path, NULL);
                put_set(&dir, path, "new");
                test_case("%u", i);
                CHECK_INT(store_activate(s, name, &specs), 0);
        }
        CHECK_UINT(tmp_dir_count(&dir, "archive"), 11);
        CHECK_INT(store_archive_prune(s, name, 3), 0);
        CHECK_UINT(tmp_dir_count(&dir, "archive"), 3);
        name[252] = 'b';
        CHECK_INT(store_archive_prune(s, name, 0), 0);
        CHECK_UINT(tmp_dir_count(&dir, "archive"), 3);
}
