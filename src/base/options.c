/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "config.h"

/* What getopt_long(3) returns for the option at place i of the table is VALUE_TABLE + i: outside the range of short names. */
enum {
        VALUE_HELP = 1000,
        VALUE_VERSION,
        VALUE_TABLE,
};

static const Option help_option = { "help", 'h', NULL, "Show this help" };
static const Option version_option = { "version", 0, NULL, "Show the version" };

/* Columns on a terminal, as far as we write. */
static int width_of(const char *s) {
        int width = 0;

        for (; *s; s++)
                width += (*s & 0xc0) != 0x80;
        return width;
}

static int option_width(const Option *o) {
        return width_of(o->long_name) + (o->argument ? 1 + width_of(o->argument) : 0);
}

static void print_option(const Option *o, int width) {
        char short_name[] = { '-', o->short_name, ',', '\0' };

        printf("  %-3s --%s%s%s%*s  %s\n",
               o->short_name ? short_name : "",
               o->long_name, o->argument ? "=" : "", o->argument ? o->argument : "",
               width - option_width(o), "",
               o->help);
}

static void print_help(const OptionTable *table) {
        int width = MAX_OF(option_width(&help_option), option_width(&version_option));

        for (size_t i = 0; i < table->n_options; i++)
                width = MAX_OF(width, option_width(&table->options[i]));

        printf("Usage: %s %s\n\n%s\n\nOptions:\n", table->program, table->synopsis, table->description);
        print_option(&help_option, width);
        print_option(&version_option, width);
        for (size_t i = 0; i < table->n_options; i++)
                print_option(&table->options[i], width);
        if (table->epilogue)
                printf("\n%s%s", table->epilogue, str_has_suffix(table->epilogue, "\n") ? "" : "\n");
}

static void fill(const Option *o, int value, struct option *ret_long, char **short_names) {
        *ret_long = (struct option) {
                .name = o->long_name,
                .has_arg = o->argument ? required_argument : no_argument,
                .val = value,
        };
        if (!o->short_name)
                return;
        *(*short_names)++ = o->short_name;
        if (o->argument)
                *(*short_names)++ = ':';
}

/* NULL: none of the table's. */
static const Option *find(const OptionTable *table, int value) {
        if (value >= VALUE_TABLE)
                return &table->options[value - VALUE_TABLE];
        for (size_t i = 0; i < table->n_options; i++)
                if (value > 0 && table->options[i].short_name == value)
                        return &table->options[i];
        return NULL;
}

int options_parse(const OptionTable *table, int argc, char *argv[],
                  int (*handle)(const Option *option, const char *argument, void *userdata), void *userdata, int *ret_index) {
        _auto_free_ struct option *long_options = NULL;
        _auto_free_ char *short_names = NULL;
        char *end;
        int value;

        assert(table);
        assert(handle || table->n_options == 0);

        long_options = calloc(table->n_options + 3, sizeof(*long_options));
        short_names = calloc(table->n_options + 1, 2);
        if (!long_options || !short_names)
                return -ENOMEM;
        end = short_names;
        fill(&help_option, VALUE_HELP, &long_options[0], &end);
        fill(&version_option, VALUE_VERSION, &long_options[1], &end);
        for (size_t i = 0; i < table->n_options; i++)
                fill(&table->options[i], VALUE_TABLE + (int) i, &long_options[2 + i], &end);

        optind = 0; /* so that GNU's getopt starts anew */
        while ((value = getopt_long(argc, argv, short_names, long_options, NULL)) >= 0) {
                const Option *option;

                if (value == VALUE_HELP || value == help_option.short_name) {
                        print_help(table);
                        return OPTIONS_E_EXIT;
                }
                if (value == VALUE_VERSION) {
                        printf("%s %s\n", table->program, PROJECT_VERSION);
                        return OPTIONS_E_EXIT;
                }
                option = find(table, value);
                if (!option) {
                        fprintf(stderr, "Try '%s --help'.\n", table->program);
                        return OPTIONS_E_USAGE;
                }
                if (handle(option, optarg, userdata) < 0)
                        return OPTIONS_E_USAGE;
        }

        if (ret_index)
                *ret_index = optind;
        else if (optind < argc) {
                fprintf(stderr, "%s takes no arguments. Try '%s --help'.\n", table->program, table->program);
                return OPTIONS_E_USAGE;
        }
        return 0;
}
