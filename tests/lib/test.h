/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A small harness: TEST(name) { … } registers itself, main() of tests/lib runs all of them in order and speaks TAP.
 *
 * The checks work with NDEBUG. A failed one is told with its place and the test goes on, except after REQUIRE(). All of them are
 * expressions that are true when the check held. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Test Test;

struct Test {
        const char *name;
        void (*run)(void);
        Test *next;
};

void test_register(Test *test);

#define TEST(name_)                                                                             \
        static void test_##name_(void);                                                         \
        __attribute__((constructor)) static void test_register_##name_(void) {                  \
                static Test test = { .name = #name_, .run = test_##name_ };                     \
                test_register(&test);                                                           \
        }                                                                                       \
        static void test_##name_(void)

#define CHECK(condition) test_check((condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(actual, expected) test_check_int((actual), (expected), #actual, __FILE__, __LINE__)
#define CHECK_UINT(actual, expected) test_check_uint((actual), (expected), #actual, __FILE__, __LINE__)
#define CHECK_STR(actual, expected) test_check_str((actual), (expected), #actual, __FILE__, __LINE__) /* NULL equals NULL */
#define CHECK_MEM(actual, expected, size) test_check_mem((actual), (expected), (size), #actual, __FILE__, __LINE__)

/* For what the rest of the test cannot do without: leaves the test function. */
#define REQUIRE(condition)                      \
        do {                                    \
                if (!CHECK(condition))          \
                        return;                 \
        } while (0)

/* Leaves the test function; it counts as skipped. */
#define SKIP(reason)                            \
        do {                                    \
                test_skip(reason);              \
                return;                         \
        } while (0)

/* Names the row of a table; it stands in front of the failures that follow in this test. */
void test_case(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* So many letters, which the caller frees; NULL: no memory. */
char *test_filler(size_t n);

void test_skip(const char *reason);

bool test_check(bool held, const char *what, const char *file, int line);
bool test_check_int(int64_t actual, int64_t expected, const char *what, const char *file, int line);
bool test_check_uint(uint64_t actual, uint64_t expected, const char *what, const char *file, int line);
bool test_check_str(const char *actual, const char *expected, const char *what, const char *file, int line);
bool test_check_mem(const void *actual, const void *expected, size_t size, const char *what, const char *file, int line);
