/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* NULL-terminated lists of strings. NULL is the empty list. */

#include "base/macro.h"

char **strv_free(char **list);
DEFINE_CLEANUP(char **, strv_free)
#define _auto_strv_ _cleanup_(strv_freep)

size_t strv_length(char *const *list) _pure_;
bool strv_contains(char *const *list, const char *s) _pure_;
bool strv_equal(char *const *a, char *const *b) _pure_; /* same strings in the same order */

/* Appends a copy; -ENOMEM leaves the list unchanged. */
int strv_extend(char ***list, const char *s);
/* Appends 's' itself; it is freed on failure. */
int strv_consume(char ***list, char *s);

/* Takes out all that equal 's'; true: there was one. */
bool strv_remove(char **list, const char *s);

/* NULL: out of memory. */
char **strv_copy(char *const *list);
char **strv_split(const char *s, const char *separators); /* empty words are left out */
char *strv_join(char *const *list, const char *separator);

void strv_sort(char **list);

#define STRV_FOREACH(s, list) for (char *const *s = (list); s && *s; s++)
