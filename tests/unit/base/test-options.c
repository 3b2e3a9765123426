/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "config.h"
#include "lib/test.h"
#include "lib/tmp-dir.h"

static const Option options[] = {
        { "json", 'j', NULL, "Print JSON" },
        { "store", 's', "DIRECTORY", "Where the store is" },
        { "quiet", 0, NULL, "Say less" },
};

static const OptionTable table = {
        .program = "mdctl",
        .synopsis = "[OPTIONS\xe2\x80\xa6] COMMAND",
        .description = "Look at managed domains.",
        .options = options,
        .n_options = ELEMENTSOF(options),
        .epilogue = "Commands:\n  list",
};

static int collect(const Option *option, const char *argument, void *userdata) {
        char *seen = userdata;

        if (argument && str_equal(argument, "bad"))
                return -EINVAL;
        strcat(seen, option->long_name);
        if (argument) {
                strcat(seen, "=");
                strcat(seen, argument);
        }
        strcat(seen, ";");
        return 0;
}

/* Runs with 'stream' going to a file and gives what was written there. */
static char *capture(int stream, char *line, char *seen, int *ret_index, int *ret) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        int saved, fd, argc = 0;
        char *argv[20];

        for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
                argv[argc++] = word;
        argv[argc] = NULL;

        fflush(stdout);
        saved = fcntl(stream, F_DUPFD_CLOEXEC, 10);
        fd = openat(dir.fd, "out", O_WRONLY|O_CREAT|O_CLOEXEC, 0600);
        (void) dup2(fd, stream);
        (void) close(fd);
        *seen = '\0';
        *ret = options_parse(&table, argc, argv, collect, seen, ret_index);
        fflush(stdout);
        (void) dup2(saved, stream);
        (void) close(saved);
        return tmp_dir_read(&dir, "out");
}

TEST(options_are_handled_in_order) {
        static const struct {
                const char *line, *seen;
                int index;
        } cases[] = {
                { "mdctl",                                      "",                             1 },
                { "mdctl list",                                 "",                             1 },
                { "mdctl --json list",                          "json;",                        2 },
                { "mdctl list --json",                          "json;",                        2 },
                { "mdctl -js /x --quiet list a",                "json;store=/x;quiet;",         4 },
                { "mdctl --store=/x -s/y list",                 "store=/x;store=/y;",           3 },
                { "mdctl --store /x --json -- --json",          "store=/x;json;",               5 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *line = strdup(cases[i].line), *complaint = NULL;
                char seen[200];
                int index = 99, r;

                test_case("%s", cases[i].line);
                complaint = capture(STDERR_FILENO, line, seen, &index, &r);
                CHECK_INT(r, OPTIONS_DONE);
                CHECK_STR(seen, cases[i].seen);
                CHECK_INT(index, cases[i].index);
                CHECK_STR(complaint, "");
        }
}

TEST(usage_errors_are_told) {
        static const char *const cases[] = { "mdctl --nothing", "mdctl -x", "mdctl --store", "mdctl -s", "mdctl --json=yes" };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *line = strdup(cases[i]), *complaint = NULL;
                char seen[200];
                int index = 99, r;

                test_case("%s", cases[i]);
                complaint = capture(STDERR_FILENO, line, seen, &index, &r);
                CHECK_INT(r, OPTIONS_E_USAGE);
                CHECK(str_has_prefix(complaint, "mdctl: "));
                CHECK(str_has_suffix(complaint, "Try 'mdctl --help'.\n"));
                CHECK_INT(index, 99);
        }
}

TEST(programs_without_arguments_refuse_them) {
        char none[] = "mdctl --json", one[] = "mdctl --json list", seen[200];
        _auto_free_ char *nothing = NULL, *complaint = NULL;
        int r;

        nothing = capture(STDERR_FILENO, none, seen, NULL, &r);
        CHECK_INT(r, OPTIONS_DONE);
        CHECK_STR(nothing, "");
        complaint = capture(STDERR_FILENO, one, seen, NULL, &r);
        CHECK_INT(r, OPTIONS_E_USAGE);
        CHECK_STR(complaint, "mdctl takes no arguments. Try 'mdctl --help'.\n");
}

TEST(the_handler_may_refuse) {
        char line[] = "mdctl --store bad", seen[200];
        int index = 99, r;
        _auto_free_ char *complaint = capture(STDERR_FILENO, line, seen, &index, &r);

        CHECK_INT(r, OPTIONS_E_USAGE);
        CHECK_STR(complaint, "");
        CHECK_INT(index, 99);
}

TEST(help_is_made_from_the_table) {
        static const char expected[] =
                "Usage: mdctl [OPTIONS\xe2\x80\xa6] COMMAND\n"
                "\n"
                "Look at managed domains.\n"
                "\n"
                "Options:\n"
                "  -h, --help             Show this help\n"
                "      --version          Show the version\n"
                "  -j, --json             Print JSON\n"
                "  -s, --store=DIRECTORY  Where the store is\n"
                "      --quiet            Say less\n"
                "\n"
                "Commands:\n"
                "  list\n";
        char long_line[] = "mdctl --json --help --nothing", short_line[] = "mdctl -h", seen[200];
        int index = 99, r;
        _auto_free_ char *first = capture(STDOUT_FILENO, long_line, seen, &index, &r), *second = NULL;

        CHECK_INT(r, OPTIONS_E_EXIT);
        CHECK_STR(first, expected);
        second = capture(STDOUT_FILENO, short_line, seen, &index, &r);
        CHECK_INT(r, OPTIONS_E_EXIT);
        CHECK_STR(second, expected);
        CHECK_INT(index, 99);
}

TEST(version) {
        char line[] = "mdctl --version", seen[200];
        int index = 99, r;
        _auto_free_ char *text = capture(STDOUT_FILENO, line, seen, &index, &r);

        CHECK_INT(r, OPTIONS_E_EXIT);
        CHECK_STR(text, "mdctl " PROJECT_VERSION "\n");
}
