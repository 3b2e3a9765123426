/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <string.h>

#include "base/cleanup.h"
#include "lib/test.h"

TEST(grows_and_stays_terminated) {
        _auto_buffer_ Buffer b = BUFFER_INIT(100000);
        size_t expected = 0;

        for (unsigned i = 0; i < 1000; i++) {
                CHECK_INT(buffer_append_string(&b, "hello "), 0);
                CHECK_INT(buffer_printf(&b, "%u,", i), 0);
                expected += 6 + (i < 10 ? 2 : i < 100 ? 3 : 4);
        }
        CHECK_UINT(b.size, expected);
        REQUIRE(b.data);
        CHECK_UINT(strlen(b.data), b.size);
        CHECK(b.allocated > b.size);
        CHECK(strncmp(b.data, "hello 0,hello 1,", 16) == 0);
}

TEST(ceiling_leaves_it_unchanged) {
        _auto_buffer_ Buffer b = BUFFER_INIT(5);

        CHECK_INT(buffer_append(&b, "abc", 3), 0);
        CHECK_INT(buffer_append(&b, "def", 3), BUFFER_E_TOO_LARGE);
        CHECK_INT(buffer_printf(&b, "%d", 123), BUFFER_E_TOO_LARGE);
        CHECK_STR(b.data, "abc");
        CHECK_UINT(b.size, 3);
        CHECK_INT(buffer_printf(&b, "%d", 12), 0);
        CHECK_STR(b.data, "abc12");
        CHECK_INT(buffer_append(&b, "", 0), 0);
        CHECK_INT(buffer_append(&b, NULL, 0), 0);
        CHECK_INT(buffer_append_string(&b, "x"), BUFFER_E_TOO_LARGE);
}

TEST(ceiling_of_nothing_and_of_everything) {
        _auto_buffer_ Buffer none = BUFFER_INIT(0), all = BUFFER_INIT(SIZE_MAX);

        CHECK_INT(buffer_append_string(&none, ""), 0);
        CHECK_INT(buffer_append_string(&none, "x"), BUFFER_E_TOO_LARGE);
        CHECK_INT(buffer_append_string(&all, "x"), 0);
        CHECK_STR(all.data, "x");
}

TEST(clear_keeps_the_memory) {
        _auto_buffer_ Buffer b = BUFFER_INIT(10);
        size_t allocated;

        buffer_clear(&b);
        CHECK_INT(buffer_append_string(&b, "abc"), 0);
        allocated = b.allocated;
        buffer_clear(&b);
        CHECK_UINT(b.size, 0);
        CHECK_UINT(b.allocated, allocated);
        CHECK_STR(b.data, "");
}

TEST(take_hands_over) {
        _auto_buffer_ Buffer b = BUFFER_INIT(10);
        _auto_free_ char *first = NULL, *second = NULL;
        size_t size = 99;

        CHECK_INT(buffer_append(&b, "a\0b", 3), 0);
        first = buffer_take(&b, &size);
        CHECK_UINT(size, 3);
        CHECK_MEM(first, "a\0b", 4);
        CHECK(!b.data);
        CHECK_UINT(b.size, 0);
        CHECK_UINT(b.max, 10);

        second = buffer_take(&b, NULL);
        CHECK_STR(second, "");
        CHECK_INT(buffer_append_string(&b, "again"), 0);
        CHECK_STR(b.data, "again");
}
