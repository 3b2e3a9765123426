/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Strings: comparing, building, and printable copies of foreign text. NULL results mean out of memory. */

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "base/macro.h"

/* NULL equals only NULL. */
bool str_equal(const char *a, const char *b) _pure_;
bool str_equal_nocase(const char *a, const char *b) _pure_;

/* NULL and "" are the same. */
bool str_is_empty(const char *s) _pure_;
#define str_or(s, fallback) ({ const char *_s = (s); _s && *_s ? _s : (fallback); })

bool str_has_prefix(const char *s, const char *prefix) _pure_;
bool str_has_suffix(const char *s, const char *suffix) _pure_;

/* The rest behind the prefix, or NULL. */
const char *str_after_prefix(const char *s, const char *prefix) _pure_;

/* ASCII only, independent of the locale. */
void str_to_lower(char *s);

char *str_printf(const char *format, ...) _printf_(1, 2);
char *str_vprintf(const char *format, va_list ap) _printf_(1, 0);

/* Replaces *s by a copy of 'value' (NULL allowed). -ENOMEM: *s is unchanged. */
int str_replace(char **s, const char *value);

/* A copy of foreign text that is safe for a log or a terminal: control bytes (also DEL, C1 in UTF-8, and bytes that are no valid
 * UTF-8) become '?', line breaks become blanks, and what is longer than 'max' bytes ends in "…". */
char *str_printable(const char *s, size_t size, size_t max);

/* The length of the UTF-8 sequence at the start of 's', 1 to 4; 0: there is no valid one. *ret_code_point may be NULL. */
size_t str_utf8_sequence(const char *s, size_t size, uint32_t *ret_code_point);
