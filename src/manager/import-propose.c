/* SPDX-License-Identifier: Apache-2.0 */

/* Lines for Apache's configuration. It reads a word in quotes with backslashes before quotes and backslashes; it puts in place of ${NAME} what is defined by this name,
 * also in quotes; and a line that ends in a backslash goes on in the next, also when it is a comment. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "manager/import.h"

enum {
        ARGUMENT_MAX = 2048,
        COMMENT_MAX = 2000,
};

static bool can_be_said(const char *argument) {
        _auto_free_ char *printable = str_printable(argument, strlen(argument), ARGUMENT_MAX);

        return str_equal(printable, argument) && !strstr(argument, "${");
}

static char *quote(const char *argument) {
        char *quoted = malloc(2 * strlen(argument) + 3), *p = quoted;

        if (!quoted)
                return NULL;
        *p++ = '"';
        for (; *argument; argument++) {
                if (*argument == '"' || *argument == '\\')
                        *p++ = '\\';
                *p++ = *argument;
        }
        *p++ = '"';
        *p = '\0';
        return quoted;
}

int import_propose(ImportCertificate *c, const char *directive, const char *argument) {
        _auto_free_ char *quoted = NULL;

        if (!can_be_said(argument))
                return import_note(&c->remarks, "%s is left out: Apache's configuration cannot say '%.300s'", directive, argument);
        quoted = quote(argument);
        return quoted ? strv_consume(&c->directives, str_printf("%s %s", directive, quoted)) : -ENOMEM;
}

/* Blanks at its end may get lost on the way into a file. */
static bool goes_on(const char *line) {
        size_t n = strlen(line);

        while (n > 0 && line[n - 1] == ' ')
                n--;
        return n > 0 && line[n - 1] == '\\';
}

int import_propose_comment(ImportCertificate *c, const char *format, ...) {
        _auto_free_ char *text = NULL, *printable = NULL;
        va_list ap;

        va_start(ap, format);
        text = str_vprintf(format, ap);
        va_end(ap);
        printable = text ? str_printable(text, strlen(text), COMMENT_MAX) : NULL;
        return printable ? strv_consume(&c->directives, str_printf("# %s%s", printable, goes_on(printable) ? "." : "")) : -ENOMEM;
}
