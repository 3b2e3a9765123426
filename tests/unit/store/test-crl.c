/* SPDX-License-Identifier: Apache-2.0 */
#include "store/crl.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tree.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "89abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567"

TEST(there_and_back) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        StoreCrl crl = { 0 };

        CHECK_INT(store_crl_read(s, KEY, &crl), STORE_CRL_E_NOT_FOUND);
        REQUIRE(store_crl_write(s, KEY, "a\0b", 3) == 0);
        REQUIRE(store_crl_read(s, KEY, &crl) == 0);
        CHECK_UINT(crl.size, 3);
        CHECK_MEM(crl.data, "a\0b", 3);
        CHECK(crl.written_usec > clock_now_usec() - USEC_PER_MINUTE);
        free(crl.data);
        CHECK_UINT(tree_mode(&dir, "crls/" KEY ".crl"), 0600);
}

TEST(keys) {
        static const char *const keys[] = { "", "..", "../" KEY, KEY "0", "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef" };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        StoreCrl crl;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                test_case("%s", keys[i]);
                CHECK_INT(store_crl_write(s, keys[i], "x", 1), -EINVAL);
                CHECK_INT(store_crl_read(s, keys[i], &crl), -EINVAL);
        }
}

static bool is_first(const char *key, void *userdata) {
        return key && strcmp(key, KEY) == 0;
}

TEST(prune) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        REQUIRE(store_crl_write(s, KEY, "x", 1) == 0 && store_crl_write(s, OTHER, "y", 1) == 0);
        tree_put(&dir, "crls/README", "mine");
        CHECK_INT(store_crl_ensure(s), 0);
        CHECK_INT(store_crl_ensure(s), 0);
        CHECK_UINT(tree_mode(&dir, "crls/wanted"), 0600);
        CHECK_INT(store_crl_prune(s, is_first, NULL), 0);
        CHECK(tree_holds(&dir, "crls/" KEY ".crl", "x"));
        CHECK_UINT(tree_mode(&dir, "crls/" OTHER ".crl"), 0);
        CHECK_UINT(tree_mode(&dir, "crls/wanted"), 0);
        CHECK(tree_holds(&dir, "crls/README", "mine"));
}
