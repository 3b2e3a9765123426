/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Test *first, **last = &first;
static unsigned n_tests;

static unsigned n_failed_checks;
static const char *skip_reason;
static char case_name[200];

void test_register(Test *test) {
        *last = test;
        last = &test->next;
        n_tests++;
}

void test_case(const char *format, ...) {
        va_list args;

        va_start(args, format);
        (void) vsnprintf(case_name, sizeof(case_name), format, args);
        va_end(args);
        /* A line of TAP has to stay one. */
        for (char *c = case_name; *c; c++)
                if ((unsigned char) *c < 0x20 || (unsigned char) *c > 0x7e)
                        *c = '?';
}

char *test_filler(size_t n) {
        char *text = malloc(n + 1);

        if (text) {
                memset(text, 'x', n);
                text[n] = '\0';
        }
        return text;
}

void test_skip(const char *reason) {
        skip_reason = reason;
}

static void tell_place(const char *file, int line) {
        n_failed_checks++;
        printf("# %s:%d: ", file, line);
        if (*case_name)
                printf("[%s] ", case_name);
}

/* One line of TAP comment, whatever is in the string. */
static void print_quoted(const char *s) {
        if (!s) {
                printf("NULL");
                return;
        }
        putchar('"');
        for (; *s; s++)
                if (*s == '"' || *s == '\\')
                        printf("\\%c", *s);
                else if ((unsigned char) *s < 0x20 || (unsigned char) *s > 0x7e)
                        printf("\\x%02x", (unsigned char) *s);
                else
                        putchar(*s);
        putchar('"');
}

bool test_check(bool held, const char *what, const char *file, int line) {
        if (held)
                return true;

        tell_place(file, line);
        printf("%s\n", what);
        return false;
}

bool test_check_int(int64_t actual, int64_t expected, const char *what, const char *file, int line) {
        if (actual == expected)
                return true;

        tell_place(file, line);
        printf("%s is %" PRId64 ", expected %" PRId64 "\n", what, actual, expected);
        return false;
}

bool test_check_uint(uint64_t actual, uint64_t expected, const char *what, const char *file, int line) {
        if (actual == expected)
                return true;

        tell_place(file, line);
        printf("%s is %" PRIu64 ", expected %" PRIu64 "\n", what, actual, expected);
        return false;
}

bool test_check_str(const char *actual, const char *expected, const char *what, const char *file, int line) {
        if (actual == expected || (actual && expected && strcmp(actual, expected) == 0))
                return true;

        tell_place(file, line);
        printf("%s is ", what);
        print_quoted(actual);
        printf(", expected ");
        print_quoted(expected);
        putchar('\n');
        return false;
}

bool test_check_mem(const void *actual, const void *expected, size_t size, const char *what, const char *file, int line) {
        if (size == 0 || (actual && expected && memcmp(actual, expected, size) == 0))
                return true;

        tell_place(file, line);
        printf("%s differs from what is expected within %zu bytes\n", what, size);
        return false;
}

/* Without arguments all tests run, otherwise those that are named. */
static bool is_wanted(const Test *test, int argc, char *argv[]) {
        for (int i = 1; i < argc; i++)
                if (strcmp(test->name, argv[i]) == 0)
                        return true;
        return argc <= 1;
}

int main(int argc, char *argv[]) {
        unsigned i = 0, n_failed = 0;

        setvbuf(stdout, NULL, _IOLBF, 0);
        printf("1..%u\n", n_tests);

        for (const Test *test = first; test; test = test->next) {
                i++;
                n_failed_checks = 0;
                skip_reason = NULL;
                *case_name = '\0';

                if (is_wanted(test, argc, argv))
                        test->run();
                else
                        skip_reason = "not asked for";

                if (n_failed_checks > 0) {
                        n_failed++;
                        printf("not ok %u - %s\n", i, test->name);
                } else if (skip_reason)
                        printf("ok %u - %s # SKIP %s\n", i, test->name, skip_reason);
                else
                        printf("ok %u - %s\n", i, test->name);
        }

        return n_failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
