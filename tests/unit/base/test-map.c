/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"

TEST(puts_gets_removes) {
        _auto_map_ Map *m = map_new();
        int a = 1, b = 2;
        char key[] = "a";

        REQUIRE(m);
        CHECK(!map_get(m, "a"));
        CHECK(!map_remove(m, "a"));
        CHECK_INT(map_put(m, key, &a), 0);
        key[0] = 'x'; /* keys are copied */
        CHECK_INT(map_put(m, "b", &b), 0);
        CHECK_INT(map_put(m, "a", &b), -EEXIST);
        CHECK(map_get(m, "a") == &a);
        CHECK(map_get(m, "b") == &b);
        CHECK(!map_get(m, "A"));
        CHECK(!map_get(m, ""));
        CHECK_UINT(map_size(m), 2);
        CHECK(map_remove(m, "a") == &a);
        CHECK(!map_get(m, "a"));
        CHECK_UINT(map_size(m), 1);
        CHECK_INT(map_put(m, "", &a), 0);
        CHECK(map_get(m, "") == &a);
}

TEST(many_in_the_order_of_insertion) {
        enum { N = 5000 };
        static int values[N];
        _auto_map_ Map *m = map_new();
        const char *key;
        int *value, n = 0;

        REQUIRE(m);
        for (int i = 0; i < N; i++) {
                _auto_free_ char *name = str_printf("key-%d", (i * 7919) % N);

                CHECK_INT(map_put(m, name, &values[i]), 0);
        }
        CHECK_UINT(map_size(m), N);
        MAP_FOREACH(m, key, value) {
                _auto_free_ char *name = str_printf("key-%d", (n * 7919) % N);

                CHECK(value == &values[n]);
                CHECK_STR(key, name);
                n++;
        }
        CHECK_INT(n, N);
        for (int i = 0; i < N; i++) {
                _auto_free_ char *name = str_printf("key-%d", (i * 7919) % N);

                CHECK(map_get(m, name) == &values[i]);
        }
}

TEST(removing_while_iterating) {
        enum { N = 100 };
        static int values[N];
        _auto_map_ Map *m = map_new();
        const char *key;
        int *value, n = 0;

        REQUIRE(m);
        for (int i = 0; i < N; i++) {
                _auto_free_ char *name = str_printf("%d", i);

                values[i] = i;
                CHECK_INT(map_put(m, name, &values[i]), 0);
        }
        MAP_FOREACH(m, key, value) {
                CHECK_INT(*value, n);
                if (n % 2 == 0)
                        CHECK(map_remove(m, key) == value); /* the key is the map's own */
                n++;
        }
        CHECK_INT(n, N);
        CHECK_UINT(map_size(m), N / 2);
        n = 0;
        MAP_FOREACH(m, key, value) {
                CHECK_INT(*value, 2 * n + 1);
                n++;
        }
        CHECK_INT(n, N / 2);
}

TEST(gaps_close) {
        _auto_map_ Map *m = map_new();
        int value = 0;

        REQUIRE(m);
        CHECK_INT(map_put(m, "stays", &value), 0);
        for (int i = 0; i < 100000; i++) {
                char name[20];

                (void) snprintf(name, sizeof(name), "%d", i);
                if (map_put(m, name, &value) != 0 || map_remove(m, name) != &value)
                        CHECK(false);
        }
        CHECK_UINT(map_size(m), 1);
        CHECK(map_get(m, "stays") == &value);
}

static void release(void *value) {
        ++*(int *) value;
}

TEST(free_with_releases_each_once) {
        Map *m = map_new();
        int a = 0, b = 0, c = 0;

        REQUIRE(m);
        CHECK_INT(map_put(m, "a", &a), 0);
        CHECK_INT(map_put(m, "b", &b), 0);
        CHECK_INT(map_put(m, "c", &c), 0);
        CHECK(map_remove(m, "b") == &b);
        CHECK(!map_free_with(m, release));
        CHECK_INT(a, 1);
        CHECK_INT(b, 0);
        CHECK_INT(c, 1);
        CHECK(!map_free(NULL));
        CHECK(!map_free_with(NULL, release));
}
