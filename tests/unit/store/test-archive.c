/* SPDX-License-Identifier: Apache-2.0 */
#include "store/archive.h"

#include "base/clock.h"
#include "base/string-util.h"
#include "store/domain.h"
#include "tree.h"

#define NAME "example.org"

static void put(TmpDir *dir, const char *entry) {
        char path[400];

        (void) snprintf(path, sizeof(path), "archive/%s/pubcert.pem", entry);
        tree_put(dir, path, entry);
}

static bool has(TmpDir *dir, const char *entry) {
        char path[400];

        (void) snprintf(path, sizeof(path), "archive/%s", entry);
        return tmp_dir_has(dir, path);
}

static const char *const ours[] = { NAME ".7", NAME ".999", NAME ".1001" };
/* Nobody of these is a set of NAME. */
static const char *const others[] = { NAME ".x", NAME ".", NAME ".-1", "sub." NAME ".5000", NAME ".99999999999999999999999", NAME };

static void fill(TmpDir *dir) {
        for (size_t i = 0; i < ELEMENTSOF(ours); i++)
                put(dir, ours[i]);
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                put(dir, others[i]);
        tmp_dir_write(dir, "archive/" NAME ".1000", "a stray file");
}

TEST(newest_first) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_free_ ArchivedSet *sets = NULL, *two = NULL;
        uint64_t begun = clock_now_usec();
        size_t n = 0;

        fill(&dir);
        REQUIRE(store_archive_list(s, NAME, 100, &sets, &n) == 0);
        REQUIRE(n == 3);
        CHECK_UINT(sets[0].number, 1001);
        CHECK_UINT(sets[1].number, 999);
        CHECK_UINT(sets[2].number, 7);
        /* The kernel's clock for files is a little behind. */
        CHECK(sets[0].archived_usec + USEC_PER_SEC > begun && sets[0].archived_usec <= clock_now_usec());
        REQUIRE(store_archive_list(s, NAME, 2, &two, &n) == 0);
        REQUIRE(n == 2);
        CHECK_UINT(two[1].number, 999);
}

TEST(nothing_there) {
        static const char *const names[] = { "other.example", "..", "", "a/b", "." };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        fill(&dir);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                ArchivedSet *sets = (ArchivedSet *) "";
                size_t n = 1;

                test_case("'%s'", names[i]);
                CHECK_INT(store_archive_list(s, names[i], 100, &sets, &n), 0);
                CHECK(!sets && n == 0);
                CHECK_INT(store_archive_remove(s, names[i], 7), 0);
                CHECK_INT(store_archive_prune(s, names[i], 0), 0);
        }
        CHECK(has(&dir, NAME ".7"));
        tree_remove(&dir, "archive");
        for (unsigned i = 0; i < 2; i++) {
                ArchivedSet *sets = NULL;
                size_t n = 1;

                CHECK_INT(store_archive_list(s, NAME, 100, &sets, &n), 0);
                CHECK_UINT(n, 0);
                CHECK_INT(store_archive_prune(s, NAME, 0), 0);
                CHECK_INT(store_archive_prune_before(s, UINT64_MAX, &n), 0);
                CHECK_UINT(n, 0);
                CHECK_INT(store_archive_remove(s, NAME, 7), 0);
        }
}

TEST(read_as_a_set) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        const KeySpec spec = { .type = KEY_TYPE_DEFAULT };
        _cleanup_(job_freep) Job *job = NULL, *none = NULL;
        char entry[STORE_ARCHIVE_ENTRY_SIZE];
        _auto_secret_ Secret *key = NULL;
        _auto_free_ char *pem = NULL;

        fill(&dir);
        tree_put(&dir, "archive/" NAME ".7/privkey.pem", "a key");
        tree_put(&dir, "archive/" NAME ".7/job.json", "{\"live\":{\"ca-url\":\"https://ca.example/dir\",\"account\":\"ACME-ca-0000\"}}");
        store_archive_entry(NAME, 7, entry);
        CHECK_STR(entry, NAME ".7");
        REQUIRE(store_domain_read_chain(s, STORE_SET_ARCHIVE, entry, &spec, &pem) == 0);
        CHECK_STR(pem, NAME ".7");
        REQUIRE(store_domain_read_key(s, STORE_SET_ARCHIVE, entry, &spec, &key) == 0);
        CHECK_STR(key->data, "a key");
        REQUIRE(store_domain_read_archived_job(s, entry, NAME, &job) == 0);
        CHECK_STR(job->name, NAME);
        CHECK_STR(job->live_ca_url, "https://ca.example/dir");
        store_archive_entry(NAME, 999, entry);
        CHECK_INT(store_domain_read_archived_job(s, entry, NAME, &none), STORE_DOMAIN_E_NOT_FOUND);
        CHECK(none);
}

TEST(one_is_removed) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        fill(&dir);
        CHECK_INT(store_archive_remove(s, NAME, 999), 0);
        CHECK_INT(store_archive_remove(s, NAME, 999), 0);
        CHECK_INT(store_archive_remove(s, NAME, 1000), 0);
        CHECK(has(&dir, NAME ".7") && !has(&dir, NAME ".999") && has(&dir, NAME ".1000") && has(&dir, NAME ".1001"));
}

TEST(pruned_by_number) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        fill(&dir);
        put(&dir, NAME ".1002");
        CHECK_INT(store_archive_prune(s, NAME, 2), 0);
        CHECK(!has(&dir, NAME ".7") && !has(&dir, NAME ".999") && has(&dir, NAME ".1001") && has(&dir, NAME ".1002"));
        CHECK_INT(store_archive_prune(s, NAME, 0), 0);
        CHECK(!has(&dir, NAME ".1001") && !has(&dir, NAME ".1002") && has(&dir, NAME ".1000"));
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                CHECK(has(&dir, others[i]));
}

TEST(pruned_by_age) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        size_t n = 77;

        fill(&dir);
        put(&dir, "other.example.3");
        CHECK_INT(store_archive_prune_before(s, usec_sub(clock_now_usec(), USEC_PER_HOUR), &n), 0);
        CHECK_UINT(n, 0);
        CHECK(has(&dir, NAME ".7"));
        CHECK_INT(store_archive_prune_before(s, usec_add(clock_now_usec(), USEC_PER_HOUR), &n), 0);
        CHECK_UINT(n, 5); /* those of all domains, but no stray file and nothing that we did not number */
        CHECK(!has(&dir, NAME ".7") && !has(&dir, NAME ".999") && !has(&dir, "other.example.3") && !has(&dir, "sub." NAME ".5000"));
        CHECK(has(&dir, NAME ".1000") && has(&dir, NAME ".x") && has(&dir, NAME ".-1") && has(&dir, NAME));
}

/* A link is no set: it stays, and so does what it points to. */
TEST(links_are_not_followed) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        ArchivedSet *sets = NULL;
        size_t n = 1;

        tree_put(&dir, "archive/keep/file", "precious");
        tree_put(&dir, "elsewhere/pubcert.pem", "precious");
        REQUIRE(symlinkat("../elsewhere", dir.fd, "archive/" NAME ".3") == 0);
        CHECK_INT(store_archive_list(s, NAME, 100, &sets, &n), 0);
        CHECK_UINT(n, 0);
        CHECK_INT(store_archive_remove(s, NAME, 3), 0);
        CHECK_INT(store_archive_prune(s, NAME, 0), 0);
        CHECK_INT(store_archive_prune_before(s, UINT64_MAX, &n), 0);
        CHECK_UINT(n, 0);
        CHECK(tree_holds(&dir, "elsewhere/pubcert.pem", "precious"));
}

/* A set from elsewhere comes behind those that are there. */
TEST(staging_to_archive) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        tree_put(&dir, "archive/" NAME ".3/pubcert.pem", "third");
        CHECK_INT(store_archive_staging(s, NAME), -ENOENT);
        CHECK_INT(store_archive_staging(s, "../domains"), -EINVAL);
        tree_put(&dir, "staging/" NAME "/pubcert.pem", "foreign");
        CHECK_INT(store_archive_staging(s, NAME), 0);
        CHECK(tree_holds(&dir, "archive/" NAME ".4/pubcert.pem", "foreign") && tree_holds(&dir, "archive/" NAME ".3/pubcert.pem", "third"));
        CHECK(!tmp_dir_has(&dir, "staging/" NAME));
}
