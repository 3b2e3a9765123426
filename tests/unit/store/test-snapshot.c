/* SPDX-License-Identifier: Apache-2.0 */
#include "store/snapshot.h"

#include "base/strv.h"
#include "tree.h"

#define _auto_snapshot_ _cleanup_(snapshot_freep)

static Snapshot *make(const char *id, uint64_t written_usec) {
        Snapshot *snapshot = snapshot_new(id);
        ManagedDomain *d = managed_domain_new("example.org");

        if (!snapshot || !d || !(snapshot->store_dir = strdup("/var/lib/md-manager")) || strv_extend(&d->ca_urls, "https://ca.test/dir") < 0 || snapshot_add_domain(snapshot, d) < 0)
                abort();
        snapshot->written_usec = written_usec;
        return snapshot;
}

TEST(write_and_read) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *server = tree_open(&dir, STORE_ROLE_SERVER), *manager = NULL;
        _auto_snapshot_ Snapshot *a = make("apache2", 1000000), *later = make("apache2", 9000000), *other = make("apache2", 9000000), *read = NULL;
        _auto_strv_ char **ids = NULL, **complaints = NULL;
        _auto_problem_ Problem *problem = NULL;

        CHECK_INT(store_snapshot_list(server, &ids), STORE_SNAPSHOT_E_NOT_FOUND);
        CHECK_INT(store_snapshot_write(server, a, getegid()), 0);
        CHECK_UINT(tree_mode(&dir, "servers"), 0750);
        CHECK_UINT(tree_mode(&dir, "servers/apache2.json"), 0640);

        manager = tree_open(&dir, STORE_ROLE_MANAGER);
        (void) store_snapshot_read(manager, "apache2", &read, &complaints, &problem);
        CHECK_STR(problem ? problem->detail : NULL, NULL);
        REQUIRE(read);
        CHECK(!problem && !complaints);
        CHECK_STR(read->id, "apache2");
        CHECK_UINT(read->n_domains, 1);
        CHECK_UINT(read->written_usec, 1000000);

        CHECK_INT(store_snapshot_write(server, later, (gid_t) -1), STORE_SNAPSHOT_UNCHANGED);
        CHECK_INT(store_snapshot_write(server, later, getegid()), STORE_SNAPSHOT_UNCHANGED);
        CHECK(fchmodat(dir.fd, "servers/apache2.json", 0600, 0) == 0);
        CHECK_INT(store_snapshot_write(server, later, getegid()), 0);
        CHECK_UINT(tree_mode(&dir, "servers/apache2.json"), 0640);

        other->http_port = 8080;
        CHECK_INT(store_snapshot_write(server, other, (gid_t) -1), 0);
        CHECK_INT(store_snapshot_write(server, other, (gid_t) -1), STORE_SNAPSHOT_UNCHANGED);
        CHECK_INT(store_snapshot_write_anew(server, other, (gid_t) -1), 0);

        CHECK_INT(store_snapshot_list(manager, &ids), 0);
        CHECK_UINT(strv_length(ids), 1);
        CHECK_INT(store_snapshot_remove(server, "apache2"), 0);
        CHECK_INT(store_snapshot_remove(server, "apache2"), STORE_SNAPSHOT_E_NOT_FOUND);
        CHECK_INT(store_snapshot_read(manager, "apache2", &a, NULL, &problem), STORE_SNAPSHOT_E_NOT_FOUND);
        CHECK(!problem);
}

TEST(list_takes_only_snapshots) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_strv_ char **ids = NULL;

        tmp_dir_write(&dir, "servers/b.json", "");
        tmp_dir_write(&dir, "servers/a.json", "");
        tmp_dir_write(&dir, "servers/a-b.json", "");
        tmp_dir_write(&dir, "servers/.a.json.abc123", "");
        tmp_dir_write(&dir, "servers/.json", "");
        tmp_dir_write(&dir, "servers/lock", "");
        tmp_dir_write(&dir, "servers/c d.json", "");
        CHECK_INT(store_snapshot_list(s, &ids), 0);
        REQUIRE(strv_length(ids) == 3);
        CHECK_STR(ids[0], "a");
        CHECK_STR(ids[1], "a-b");
        CHECK_STR(ids[2], "b");
}

static void check_refused(Store *s, const char *says) {
        _auto_problem_ Problem *problem = NULL;
        Snapshot *read = NULL;
        char **complaints = NULL;

        CHECK_INT(store_snapshot_read(s, "x", &read, &complaints, &problem), STORE_SNAPSHOT_E_REFUSED);
        CHECK(!read && !complaints);
        REQUIRE(problem);
        CHECK(strstr(problem->detail, "servers/x.json"));
        if (says && !CHECK(strstr(problem->detail, says)))
                printf("# %s\n", problem->detail);
}

TEST(refused) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        Snapshot *read = NULL;
        int fd;

        test_case("writable for the group");
        tmp_dir_write(&dir, "servers/x.json", "{}");
        CHECK(fchmodat(dir.fd, "servers/x.json", 0660, 0) == 0);
        check_refused(s, "write");
        CHECK(fchmodat(dir.fd, "servers/x.json", 0640, 0) == 0);

        test_case("the directory is");
        CHECK(fchmodat(dir.fd, "servers", 0770, 0) == 0);
        check_refused(s, "directory");
        CHECK(fchmodat(dir.fd, "servers", 0750, 0) == 0);

        test_case("content");
        check_refused(s, NULL);
        tmp_dir_write(&dir, "servers/x.json", "{\"version\": 1, \"id\": ");
        check_refused(s, NULL);
        tmp_dir_write(&dir, "servers/x.json", "");
        check_refused(s, NULL);

        test_case("too large");
        fd = openat(dir.fd, "servers/x.json", O_WRONLY|O_CLOEXEC);
        CHECK(fd >= 0 && ftruncate(fd, (off_t) SNAPSHOT_SIZE_MAX + 1) == 0);
        cleanup_close(&fd);
        check_refused(s, "too large");

        test_case("a link");
        CHECK(unlinkat(dir.fd, "servers/x.json", 0) == 0);
        CHECK(symlinkat("y.json", dir.fd, "servers/x.json") == 0);
        check_refused(s, "symbolic link");

        test_case("a FIFO");
        CHECK(unlinkat(dir.fd, "servers/x.json", 0) == 0);
        CHECK(mkfifoat(dir.fd, "servers/x.json", 0640) == 0);
        check_refused(s, "regular");

        test_case("a directory");
        CHECK(unlinkat(dir.fd, "servers/x.json", 0) == 0);
        CHECK(mkdirat(dir.fd, "servers/x.json", 0700) == 0);
        check_refused(s, "regular");

        test_case("names");
        CHECK_INT(store_snapshot_read(s, "../domains/x", &read, NULL, NULL), STORE_SNAPSHOT_E_NOT_FOUND);
        CHECK_INT(store_snapshot_read(s, "", &read, NULL, NULL), STORE_SNAPSHOT_E_NOT_FOUND);

        if (geteuid() != 0)
                SKIP("only root can give a file away");
        test_case("another owner");
        CHECK(unlinkat(dir.fd, "servers/x.json", AT_REMOVEDIR) == 0);
        tmp_dir_write(&dir, "servers/x.json", "{}");
        CHECK(fchownat(dir.fd, "servers/x.json", 12345, (gid_t) -1, 0) == 0);
        check_refused(s, "belong");
}

static bool write_fails(Store *s) {
        _auto_snapshot_ Snapshot *snapshot = make("apache2", 0);

        snapshot->http_port = 8080;
        return store_snapshot_write(s, snapshot, (gid_t) -1) < 0;
}

TEST(disk_full) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_SERVER);
        _auto_snapshot_ Snapshot *snapshot = make("apache2", 0);

        CHECK_INT(store_snapshot_write(s, snapshot, (gid_t) -1), 0);
        CHECK(tree_when_disk_is_full(write_fails, s, 100));
        CHECK_INT(store_snapshot_write(s, snapshot, (gid_t) -1), STORE_SNAPSHOT_UNCHANGED);
        CHECK_UINT(tmp_dir_count(&dir, "servers"), 1);
}
