/* SPDX-License-Identifier: Apache-2.0 */
#include "store/public.h"

#include "base/strv.h"

#include "tree.h"

#define RSA ((KeySpec){ .type = KEY_TYPE_RSA })
#define EC ((KeySpec){ .type = KEY_TYPE_EC, .curve = "P-256" })

TEST(follows_what_is_live) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);
        _auto_strv_ char **names = NULL, **none = NULL;

        (void) umask(0077);
        tree_put(&dir, "domains/example.org/pubcert.pem", "one\n");
        tree_put(&dir, "domains/example.org/privkey.pem", "secret\n");
        tree_put(&dir, "domains/example.org/pubcert.p-256.pem", "curve\n");
        CHECK_INT(store_public_update(s, "example.org", &RSA), STORE_PUBLIC_DONE);
        CHECK_INT(store_public_update(s, "example.org", &RSA), STORE_PUBLIC_UNCHANGED);
        CHECK_INT(store_public_update(s, "example.org", &EC), STORE_PUBLIC_DONE);
        CHECK(tree_holds(&dir, "public/example.org/pubcert.pem", "one\n") && tree_holds(&dir, "public/example.org/pubcert.p-256.pem", "curve\n"));
        CHECK_UINT(tree_mode(&dir, "public"), 0755);
        CHECK_UINT(tree_mode(&dir, "public/example.org"), 0755);
        CHECK_UINT(tree_mode(&dir, "public/example.org/pubcert.pem"), 0644);
        CHECK_UINT(tree_mode(&dir, "public/example.org/privkey.pem"), 0);

        tree_put(&dir, "domains/example.org/pubcert.pem", "two\n");
        CHECK_INT(store_public_update(s, "example.org", &RSA), STORE_PUBLIC_DONE);
        CHECK(tree_holds(&dir, "public/example.org/pubcert.pem", "two\n"));

        /* A crash as it was written. */
        tree_put(&dir, "domains/example.org/pubcert.pem", "three\n");
        tree_put(&dir, "public/example.org/.pubcert.pem.a1b2c3", "thr");
        CHECK_INT(store_public_update(s, "example.org", &RSA), STORE_PUBLIC_DONE);
        CHECK(tree_holds(&dir, "public/example.org/pubcert.pem", "three\n"));
        CHECK_UINT(tree_mode(&dir, "public/example.org/.pubcert.pem.a1b2c3"), 0);

        tree_remove(&dir, "domains/example.org/pubcert.pem");
        CHECK_INT(store_public_update(s, "example.org", &RSA), STORE_PUBLIC_E_NOT_FOUND);
        CHECK_UINT(tree_mode(&dir, "public/example.org/pubcert.pem"), 0);

        CHECK_INT(store_public_list(s, &names), 0);
        CHECK(strv_length(names) == 1 && strv_contains(names, "example.org"));
        CHECK_INT(store_public_remove(s, "example.org"), 0);
        CHECK_INT(store_public_remove(s, "example.org"), 0);
        CHECK_INT(store_public_list(s, &none), 0);
        CHECK_UINT(strv_length(none), 0);
}

TEST(names_and_links) {
        static const char *const names[] = { "", "..", "a/b", ".hidden" };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_store_ Store *s = tree_open(&dir, STORE_ROLE_MANAGER);

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                test_case("%s", names[i]);
                CHECK(store_public_update(s, names[i], &RSA) != STORE_PUBLIC_DONE);
                CHECK(store_public_remove(s, names[i]) < 0);
        }
        /* Nobody has us write elsewhere. */
        tree_put(&dir, "domains/example.org/pubcert.pem", "one\n");
        tree_put(&dir, "public/", NULL);
        tree_put(&dir, "elsewhere/", NULL);
        REQUIRE(symlinkat("../elsewhere", dir.fd, "public/example.org") == 0);
        (void) store_public_update(s, "example.org", &RSA);
        CHECK_UINT(tree_mode(&dir, "elsewhere/pubcert.pem"), 0);
}
