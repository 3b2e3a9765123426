/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Lines of a configuration file for libinih, which has room for some 200 bytes and takes the rest of a longer one for a line of its own: the end of a comment
 * would count as a setting. Here a comment may be as long as it likes, and any other line that does not fit is left out and noted. */

#include <stdio.h>

typedef struct IniLines {
        FILE *file;        /* borrowed */
        unsigned line;     /* number of the last one */
        unsigned too_long; /* number of the first that did not fit, or has a NUL byte in it; 0: all did */
} IniLines;

/* An ini_reader: 'lines' is an IniLines. */
char *ini_lines_next(char *buffer, int size, void *lines);
