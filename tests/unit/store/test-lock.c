/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lock.h"

#include "tree.h"

TEST(shared_and_exclusive) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *manager = tree_open(&dir, STORE_ROLE_MANAGER), *server = tree_open(&dir, STORE_ROLE_SERVER);
        int a = -1, b = -1, c = -1;

        CHECK_INT(store_lock_exclusive(manager, &c), 0);
        CHECK_INT(c, -1);

        CHECK_INT(store_lock_shared(server, &a), 0);
        CHECK_INT(store_lock_shared(server, &b), 0);
        CHECK_UINT(tree_mode(&dir, "servers/lock"), 0640);
        CHECK_INT(store_lock_exclusive(manager, &c), STORE_LOCK_E_BUSY);
        (void) close(take_fd(a));
        CHECK_INT(store_lock_exclusive(manager, &c), STORE_LOCK_E_BUSY);
        (void) close(take_fd(b));

        CHECK_INT(store_lock_exclusive(manager, &c), 0);
        CHECK(c >= 0);
        CHECK_INT(store_lock_shared(server, &a), STORE_LOCK_E_BUSY);
        CHECK_INT(a, -1);
        (void) close(c);
        CHECK_INT(store_lock_shared(server, &a), 0);
        (void) close(a);
}

TEST(the_file_is_deleted_and_put_right) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *manager = tree_open(&dir, STORE_ROLE_MANAGER), *server = tree_open(&dir, STORE_ROLE_SERVER);
        int fd = -1;

        CHECK_INT(store_lock_shared(server, &fd), 0);
        tree_remove(&dir, "servers/lock");
        (void) close(take_fd(fd));
        CHECK_INT(store_lock_exclusive(manager, &fd), 0);
        CHECK_INT(fd, -1);

        tmp_dir_write(&dir, "servers/lock", "");
        CHECK_INT(store_lock_shared(server, &fd), 0);
        CHECK_UINT(tree_mode(&dir, "servers/lock"), 0640);
        (void) close(take_fd(fd));

        tree_remove(&dir, "servers");
        CHECK_INT(store_lock_shared(server, &fd), 0);
        CHECK_INT(fd, -1);
        CHECK(!tmp_dir_has(&dir, "servers"));
        CHECK_INT(store_lock_exclusive(manager, &fd), 0);
        CHECK_INT(fd, -1);
}

TEST(a_link_is_no_lock) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *manager = tree_open(&dir, STORE_ROLE_MANAGER), *server = tree_open(&dir, STORE_ROLE_SERVER);
        int fd = -1;

        CHECK(symlinkat("target", dir.fd, "servers/lock") == 0);
        CHECK(store_lock_shared(server, &fd) < 0);
        CHECK(store_lock_exclusive(manager, &fd) < 0);
        CHECK(!tmp_dir_has(&dir, "servers/target"));
}
