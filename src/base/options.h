/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Command lines by table: getopt_long(3) with --help and --version made from the same table. */

#include "base/macro.h"

typedef struct Option {
        const char *long_name;
        char short_name;      /* 0: none */
        const char *argument; /* its name in --help, NULL: takes none */
        const char *help;
} Option;

typedef struct OptionTable {
        const char *program;
        const char *synopsis;    /* behind the program's name: "[OPTIONS…] COMMAND …" */
        const char *description; /* one line */
        const Option *options;
        size_t n_options;
        const char *epilogue; /* behind the options, for instance the commands; NULL: none */
} OptionTable;

enum {
        OPTIONS_DONE,
        OPTIONS_E_EXIT,  /* --help or --version was printed: end with success */
        OPTIONS_E_USAGE, /* was told on stderr: end with EXIT_FAILURE */
};

/* Calls 'handle' for each option but --help (-h) and --version, which every table has without naming them. 'handle' returns 0 or a
 * negative errno after it told on stderr what is wrong. *ret_index is the first argument that is no option; NULL: there may be none, and one is told on stderr as a wrong option is. */
int options_parse(const OptionTable *table, int argc, char *argv[],
                  int (*handle)(const Option *option, const char *argument, void *userdata), void *userdata, int *ret_index);
