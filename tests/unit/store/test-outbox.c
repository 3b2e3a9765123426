/* SPDX-License-Identifier: Apache-2.0 */
#include "store/outbox.h"

#include "tree.h"

static char *const fields[] = { (char *) "MD_DETAIL", (char *) "something", NULL };

TEST(comes_and_goes) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _cleanup_(outbox_freep) Outbox *none = NULL, *o = NULL;
        _auto_strv_ char **names = NULL, **no_names = NULL;

        CHECK_INT(store_outbox_read(s, "example.org", &none), STORE_OUTBOX_E_NOT_FOUND);
        REQUIRE(none);
        CHECK_INT(outbox_add(none, EVENT_RENEWED, "a", NULL, fields, 1), 0);
        CHECK_INT(store_outbox_write(s, none), 0);
        CHECK_UINT(tree_mode(&dir, "outbox/example.org"), 0700);
        CHECK_UINT(tree_mode(&dir, "outbox/example.org/outbox.json"), 0600);

        CHECK_INT(store_outbox_read(s, "example.org", &o), 0);
        REQUIRE(o && o->n_entries == 1);
        CHECK_STR(o->name, "example.org");
        CHECK_STR(o->entries[0]->subject, "a");
        CHECK(strv_equal(o->entries[0]->fields, fields));
        CHECK_INT(store_outbox_list(s, &names), 0);
        CHECK(strv_length(names) == 1 && strv_contains(names, "example.org"));

        CHECK_INT(store_outbox_remove(s, "example.org"), 0);
        CHECK_INT(store_outbox_remove(s, "example.org"), 0);
        CHECK_INT(store_outbox_list(s, &no_names), 0);
        CHECK_UINT(strv_length(no_names), 0);
}

TEST(damaged_ones_are_empty) {
        static const char *const texts[] = { "", "{", "[]", "\"text\"", "{\"a\":1}{}" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
                _cleanup_(outbox_freep) Outbox *first = outbox_new("example.org"), *o = NULL;

                test_case("%s", texts[i]);
                REQUIRE(first && store_outbox_write(s, first) == 0);
                tree_put(&dir, "outbox/example.org/outbox.json", texts[i]);
                CHECK_INT(store_outbox_read(s, "example.org", &o), STORE_OUTBOX_E_DAMAGED);
                REQUIRE(o);
                CHECK_UINT(o->n_entries, 0);
                CHECK_INT(store_outbox_write(s, o), 0);
        }
}

TEST(names) {
        static const char *const names[] = { "", "..", ".", "a/b", ".hidden" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
                _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
                _cleanup_(outbox_freep) Outbox *o = NULL;

                test_case("'%s'", names[i]);
                CHECK_INT(store_outbox_read(s, names[i], &o), STORE_OUTBOX_E_NOT_FOUND);
                REQUIRE(o);
                CHECK_INT(store_outbox_write(s, o), -EINVAL);
                CHECK_INT(store_outbox_remove(s, names[i]), -EINVAL);
        }
}
