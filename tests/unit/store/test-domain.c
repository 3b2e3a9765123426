/* SPDX-License-Identifier: Apache-2.0 */
#include "store/domain.h"

#include "base/strv.h"
#include "tree.h"

#define NAME "example.org"
#define _auto_domain_ _cleanup_(managed_domain_freep)
#define _auto_job_ _cleanup_(job_freep)

static const KeySpec rsa = { .type = KEY_TYPE_RSA, .bits = 2048 };
static const KeySpec ec = { .type = KEY_TYPE_EC, .curve = "secp384r1" };

TEST(keys_and_chains) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_secret_ Secret *key = secret_new("KEY", 3), *read = NULL;
        _auto_free_ char *chain = NULL;
        _auto_strv_ char **live = NULL, **staged = NULL;

        CHECK_INT(store_domain_read_key(s, STORE_SET_LIVE, NAME, &rsa, &read), STORE_DOMAIN_E_NOT_FOUND);
        CHECK_INT(store_domain_read_chain(s, STORE_SET_LIVE, NAME, &rsa, &chain), STORE_DOMAIN_E_NOT_FOUND);

        CHECK_INT(store_domain_write_key(s, STORE_SET_STAGING, NAME, &rsa, key), 0);
        CHECK_INT(store_domain_write_chain(s, STORE_SET_STAGING, NAME, &rsa, "CHAIN"), 0);
        CHECK_INT(store_domain_write_chain(s, STORE_SET_LIVE, NAME, &ec, "EC"), 0);
        CHECK_UINT(tree_mode(&dir, "staging/" NAME), 0700);
        CHECK_UINT(tree_mode(&dir, "staging/" NAME "/privkey.pem"), 0600);
        CHECK_UINT(tree_mode(&dir, "staging/" NAME "/pubcert.pem"), 0600);
        CHECK(tree_holds(&dir, "domains/" NAME "/pubcert.secp384r1.pem", "EC"));

        REQUIRE(store_domain_read_key(s, STORE_SET_STAGING, NAME, &rsa, &read) == 0);
        CHECK_UINT(read->size, 3);
        CHECK_MEM(read->data, "KEY", 3);
        CHECK_INT(store_domain_read_chain(s, STORE_SET_STAGING, NAME, &rsa, &chain), 0);
        CHECK_STR(chain, "CHAIN");

        tmp_dir_write(&dir, "domains/stray", "");
        tree_put(&dir, "domains/.hidden/", NULL);
        CHECK_INT(store_domain_list(s, STORE_SET_LIVE, &live), 0);
        CHECK_UINT(strv_length(live), 1);
        CHECK_INT(store_domain_list(s, STORE_SET_STAGING, &staged), 0);
        CHECK_UINT(strv_length(staged), 1);

        CHECK_INT(store_staging_discard(s, NAME), 0);
        CHECK_INT(store_staging_discard(s, NAME), 0);
        CHECK_INT(store_staging_discard(s, ".."), 0);
        CHECK_UINT(tmp_dir_count(&dir, "staging"), 0);
}

TEST(next_keys) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_secret_ Secret *key = secret_new("NEXT", 4), *read = NULL;
        Secret *none = NULL;

        CHECK_INT(store_domain_remove_next_key(s, NAME, &ec), 0);
        CHECK_INT(store_domain_read_next_key(s, NAME, &ec, &none), STORE_DOMAIN_E_NOT_FOUND);
        REQUIRE(store_domain_write_next_key(s, NAME, &ec, key) == 0);
        CHECK_UINT(tree_mode(&dir, "reserve/" NAME "/next-privkey.secp384r1.pem"), 0600);
        CHECK_INT(store_domain_read_next_key(s, NAME, &rsa, &none), STORE_DOMAIN_E_NOT_FOUND);
        CHECK_INT(store_domain_read_key(s, STORE_SET_RESERVE, NAME, &ec, &none), STORE_DOMAIN_E_NOT_FOUND);
        REQUIRE(store_domain_read_next_key(s, NAME, &ec, &read) == 0);
        CHECK_MEM(read->data, "NEXT", 4);

        CHECK_INT(store_domain_remove_next_key(s, NAME, &rsa), 0);
        CHECK(tree_holds(&dir, "reserve/" NAME "/next-privkey.secp384r1.pem", "NEXT"));
        CHECK_INT(store_domain_remove_next_key(s, NAME, &ec), 0);
        CHECK_UINT(tmp_dir_count(&dir, "reserve/" NAME), 0);
        CHECK_INT(store_domain_write_next_key(s, "..", &ec, key), -EINVAL);
        CHECK(!none);
}

TEST(damaged_files) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        Secret *key = NULL;
        char *chain = NULL;
        int fd;

        tree_put(&dir, "domains/" NAME "/privkey.pem", "");
        tree_put(&dir, "domains/" NAME "/pubcert.pem", "");
        CHECK_INT(store_domain_read_key(s, STORE_SET_LIVE, NAME, &rsa, &key), STORE_DOMAIN_E_DAMAGED);
        CHECK_INT(store_domain_read_chain(s, STORE_SET_LIVE, NAME, &rsa, &chain), STORE_DOMAIN_E_DAMAGED);

        test_case("a NUL byte");
        fd = openat(dir.fd, "domains/" NAME "/pubcert.pem", O_WRONLY|O_CLOEXEC);
        CHECK(fd >= 0 && write(fd, "a\0b", 3) == 3);
        CHECK_INT(store_domain_read_chain(s, STORE_SET_LIVE, NAME, &rsa, &chain), STORE_DOMAIN_E_DAMAGED);

        test_case("too large");
        CHECK(ftruncate(fd, STORE_CERT_MAX + 1) == 0);
        cleanup_close(&fd);
        CHECK_INT(store_domain_read_chain(s, STORE_SET_LIVE, NAME, &rsa, &chain), STORE_DOMAIN_E_DAMAGED);

        test_case("a link");
        CHECK(unlinkat(dir.fd, "domains/" NAME "/pubcert.pem", 0) == 0);
        CHECK(symlinkat("privkey.pem", dir.fd, "domains/" NAME "/pubcert.pem") == 0);
        CHECK_INT(store_domain_read_chain(s, STORE_SET_LIVE, NAME, &rsa, &chain), STORE_DOMAIN_E_DAMAGED);

        test_case("a link instead of the directory");
        CHECK(symlinkat(NAME, dir.fd, "domains/link.example") == 0);
        CHECK_INT(store_domain_read_chain(s, STORE_SET_LIVE, "link.example", &rsa, &chain), STORE_DOMAIN_E_NOT_FOUND);
        CHECK(store_domain_write_chain(s, STORE_SET_LIVE, "link.example", &rsa, "X") < 0);
        CHECK(!key && !chain);
}

TEST(md) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_domain_ ManagedDomain *d = managed_domain_new(NAME), *read = NULL;
        _auto_problem_ Problem *problem = NULL;
        struct stat before, after;

        REQUIRE(d && strv_extend(&d->ca_urls, "https://ca.test/dir") == 0);
        CHECK_INT(store_domain_read_md(s, STORE_SET_LIVE, NAME, &read, &problem), STORE_DOMAIN_E_NOT_FOUND);
        CHECK(!problem);

        CHECK_INT(store_domain_write_md(s, STORE_SET_LIVE, d), 0);
        REQUIRE(store_domain_read_md(s, STORE_SET_LIVE, NAME, &read, &problem) == 0);
        CHECK(managed_domain_settings_equal(d, read));

        test_case("written only when it differs");
        CHECK(fstatat(dir.fd, "domains/" NAME "/md.json", &before, 0) == 0);
        CHECK_INT(store_domain_write_md(s, STORE_SET_LIVE, d), 0);
        CHECK(fstatat(dir.fd, "domains/" NAME "/md.json", &after, 0) == 0);
        CHECK(before.st_ino == after.st_ino);
        CHECK_INT(managed_domain_add_name(d, "www.example.org"), 0);
        CHECK_INT(store_domain_write_md(s, STORE_SET_LIVE, d), 0);
        CHECK(fstatat(dir.fd, "domains/" NAME "/md.json", &after, 0) == 0);
        CHECK(before.st_ino != after.st_ino);
}

TEST(damaged_md) {
        static const char *const cases[] = { "", "{", "[]", "{}", "{\"name\": \"..\"}", "{\"name\": \"other.example\", \"domains\": [\"other.example\"]}" };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_domain_ ManagedDomain *d = managed_domain_new(NAME);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_domain_ ManagedDomain *read = NULL;
                _auto_problem_ Problem *problem = NULL;

                test_case("%s", cases[i]);
                tree_put(&dir, "domains/" NAME "/md.json", cases[i]);
                CHECK_INT(store_domain_read_md(s, STORE_SET_LIVE, NAME, &read, &problem), STORE_DOMAIN_E_DAMAGED);
                CHECK(!read);
                CHECK(problem && strstr(problem->detail, "domains/" NAME "/md.json"));
                CHECK_INT(store_domain_write_md(s, STORE_SET_LIVE, d), 0);
                CHECK_INT(store_domain_read_md(s, STORE_SET_LIVE, NAME, &read, NULL), 0);
        }
}

TEST(job) {
        static const char *const cases[] = { "", "{\"errors\":", "[]", "null" };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_job_ Job *job = NULL, *read = NULL;

        CHECK_INT(store_domain_read_job(s, NAME, &job), STORE_DOMAIN_E_NOT_FOUND);
        REQUIRE(job);
        CHECK_STR(job->name, NAME);
        job->errors = 7;
        job->phase = JOB_PHASE_STAGED;
        CHECK_INT(store_domain_write_job(s, job), 0);
        CHECK_UINT(tree_mode(&dir, "domains/" NAME "/job.json"), 0600);
        REQUIRE(store_domain_read_job(s, NAME, &read) == 0);
        CHECK_UINT(read->errors, 7);
        CHECK_INT(read->phase, JOB_PHASE_STAGED);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_job_ Job *empty = NULL;

                test_case("%s", cases[i]);
                tree_put(&dir, "domains/" NAME "/job.json", cases[i]);
                CHECK_INT(store_domain_read_job(s, NAME, &empty), STORE_DOMAIN_E_DAMAGED);
                CHECK(empty && empty->errors == 0);
        }
}

TEST(a_job_is_never_too_large_to_be_read) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_job_ Job *job = job_new(NAME), *read = NULL;
        _auto_free_ char *detail = calloc(1, 20001);

        REQUIRE(job && detail);
        memset(detail, 'a', 20000);
        job->errors = 7;
        for (unsigned i = 0; i < JOB_LOG_MAX; i++)
                CHECK_INT(job_log_add(job, 1000000, "progress", NULL, detail), 0);
        CHECK_INT(store_domain_write_job(s, job), 0);
        CHECK_INT(store_domain_read_job(s, NAME, &read), 0);
        CHECK(read && read->errors == 7);
}

TEST(hostile_names) {
        static const char *const names[] = { "", ".", "..", "a/b", "../servers", ".hidden", "a\nb" };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        char *chain = NULL;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                test_case("%zu", i);
                CHECK_INT(store_domain_read_chain(s, STORE_SET_LIVE, names[i], &rsa, &chain), STORE_DOMAIN_E_NOT_FOUND);
                CHECK_INT(store_domain_write_chain(s, STORE_SET_LIVE, names[i], &rsa, "X"), -EINVAL);
        }
        CHECK_UINT(tmp_dir_count(&dir, "domains"), 0);
}

TEST(deleted_by_hand) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_domain_ ManagedDomain *d = managed_domain_new(NAME), *read = NULL;
        _auto_job_ Job *job = job_new(NAME), *empty = NULL;
        _auto_secret_ Secret *key = secret_new("KEY", 3);
        char **names = NULL, *chain = NULL;

        tree_remove(&dir, "domains");
        tree_remove(&dir, "staging");
        CHECK_INT(store_domain_list(s, STORE_SET_LIVE, &names), STORE_DOMAIN_E_NOT_FOUND);
        CHECK_INT(store_domain_read_chain(s, STORE_SET_LIVE, NAME, &rsa, &chain), STORE_DOMAIN_E_NOT_FOUND);
        CHECK_INT(store_domain_read_md(s, STORE_SET_LIVE, NAME, &read, NULL), STORE_DOMAIN_E_NOT_FOUND);
        CHECK_INT(store_domain_read_job(s, NAME, &empty), STORE_DOMAIN_E_NOT_FOUND);
        CHECK_INT(store_staging_discard(s, NAME), 0);

        CHECK_INT(store_domain_write_key(s, STORE_SET_STAGING, NAME, &rsa, key), 0);
        CHECK_INT(store_domain_write_md(s, STORE_SET_LIVE, d), 0);
        tree_remove(&dir, "domains/" NAME);
        CHECK_INT(store_domain_write_job(s, job), 0);
        CHECK(tmp_dir_has(&dir, "domains/" NAME "/job.json"));
}

static bool writes_fail(Store *s) {
        _auto_domain_ ManagedDomain *d = managed_domain_new(NAME);
        _auto_job_ Job *job = job_new(NAME);
        _auto_secret_ Secret *key = secret_new("ANOTHER KEY", 11);

        return managed_domain_add_name(d, "www." NAME) == 0 &&
               store_domain_write_md(s, STORE_SET_LIVE, d) < 0 &&
               store_domain_write_job(s, job) < 0 &&
               store_domain_write_key(s, STORE_SET_LIVE, NAME, &rsa, key) < 0 &&
               store_domain_write_chain(s, STORE_SET_LIVE, NAME, &rsa, "ANOTHER CHAIN") < 0;
}

TEST(disk_full) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_domain_ ManagedDomain *d = managed_domain_new(NAME), *read = NULL;
        _auto_job_ Job *job = job_new(NAME), *read_job = NULL;
        _auto_secret_ Secret *key = secret_new("KEY", 3);

        CHECK_INT(strv_extend(&d->ca_urls, "https://ca.test/dir"), 0);
        CHECK_INT(store_domain_write_md(s, STORE_SET_LIVE, d), 0);
        CHECK_INT(store_domain_write_job(s, job), 0);
        CHECK_INT(store_domain_write_key(s, STORE_SET_LIVE, NAME, &rsa, key), 0);
        CHECK_INT(store_domain_write_chain(s, STORE_SET_LIVE, NAME, &rsa, "CHAIN"), 0);

        CHECK(tree_when_disk_is_full(writes_fail, s, 8));
        CHECK_UINT(tmp_dir_count(&dir, "domains/" NAME), 4);
        CHECK(tree_holds(&dir, "domains/" NAME "/privkey.pem", "KEY"));
        CHECK(tree_holds(&dir, "domains/" NAME "/pubcert.pem", "CHAIN"));
        CHECK_INT(store_domain_read_md(s, STORE_SET_LIVE, NAME, &read, NULL), 0);
        CHECK(read && managed_domain_settings_equal(d, read));
        CHECK_INT(store_domain_read_job(s, NAME, &read_job), 0);
}
