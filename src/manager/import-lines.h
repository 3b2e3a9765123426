/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Settings of other programs, a line each: "KEY = VALUE", sections in brackets, values with or without quotes. They are only ever looked at: nothing in them is
 * executed or expanded. */

#include "base/strv.h"

enum {
        IMPORT_LINES_MAX = 1000,
        IMPORT_LINE_MAX = 16 * 1024,
};

typedef struct ImportLines {
        char **items; /* "SECTION.KEY", value, … */
} ImportLines;

void import_lines_done(ImportLines *l);
#define _auto_import_lines_ _cleanup_(import_lines_done)

/* Lines that are too long, or none of this form, are passed over; so are those behind IMPORT_LINES_MAX. -ENOMEM. */
int import_lines_parse(const char *text, size_t size, ImportLines *ret);

/* The last one of this name in a section ("": in none). NULL: there is none, or it is empty. Borrowed. */
const char *import_lines_get(const ImportLines *l, const char *section, const char *key);
