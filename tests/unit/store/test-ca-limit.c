/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ca-limit.h"

#include "base/clock.h"

#include "tree.h"

#define CA "https://ca.example/directory"
#define NOW (1700000000 * USEC_PER_SEC)

static void limit(CaLimits *l) {
        static const char *const domains[] = { "a.example", "b.example" };
        uint64_t until;

        for (size_t i = 0; i < ELEMENTSOF(domains); i++) {
                _auto_free_ char *other = NULL;

                CHECK(ca_limits_note(l, CA, domains[i], 0, NOW, &other, &until) >= 0);
        }
}

TEST(comes_and_goes) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _cleanup_(ca_limits_done) CaLimits none = { 0 }, l = { 0 }, back = { 0 };

        CHECK_INT(store_ca_limits_read(s, NOW, &none), STORE_CA_LIMIT_E_NOT_FOUND);
        limit(&l);
        CHECK_INT(store_ca_limits_write(s, &l, NOW), 0);
        CHECK_UINT(tree_mode(&dir, "accounts/limits.json"), 0600);
        CHECK_INT(store_ca_limits_read(s, NOW, &back), 0);
        CHECK_UINT(ca_limits_until_usec(&back, CA, NOW), NOW + USEC_PER_HOUR);
}

TEST(damaged_ones_are_told) {
        static const char *const texts[] = { "", "{", "[]", "{\"limits\":[7]}", "{\"limits\":[]}{}" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
                _cleanup_(ca_limits_done) CaLimits l = { 0 };

                test_case("%s", texts[i]);
                tree_put(&dir, "accounts/limits.json", texts[i]);
                CHECK_INT(store_ca_limits_read(s, NOW, &l), STORE_CA_LIMIT_E_DAMAGED);
                CHECK_UINT(l.n, 0);
                limit(&l);
                CHECK_INT(store_ca_limits_write(s, &l, NOW), 0);
        }
}
