/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/cause.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"

#define BLANKS " \t\n"
#define DIGITS "0123456789"

enum { WORD_MAX = 40 }; /* longer ones are tokens and hashes */

static bool is_letter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* The name itself, or one below it. */
static bool mentions(const char *word, const char *name) {
        size_t n = strlen(name);

        for (const char *c = word; strlen(c) >= n; c++)
                if (strncasecmp(c, name, n) == 0 && (c == word || !is_letter(c[-1])) && !is_letter(c[n]))
                        return true;
        return false;
}

/* Numbers are ports, times, serials, and how many milliseconds it took; the one that says what happened, an HTTP status, is in the problem by itself. */
static bool is_particular(const char *word, char *const *names) {
        if (strlen(word) > WORD_MAX || strpbrk(word, DIGITS))
                return true;
        STRV_FOREACH(name, names)
                if (mentions(word, *name))
                        return true;
        return false;
}

static int generalize(const char *text, char *const *names, char **ret) {
        _auto_strv_ char **words = strv_split(text, BLANKS), **kept = NULL;
        char *joined;

        if (!words)
                return -ENOMEM;
        STRV_FOREACH(word, words)
                if (strv_extend(&kept, is_particular(*word, names) ? "*" : *word) < 0)
                        return -ENOMEM;
        joined = kept ? strv_join(kept, " ") : strdup("");
        if (!joined)
                return -ENOMEM;
        *ret = joined;
        return 0;
}

int cause_of_event(EventKind kind, const char *ca, const char *step, const Problem *problem, char *const *names, char **ret) {
        _auto_free_ char *words = NULL, *cause = NULL;
        char *printable;
        int r;

        assert(ret);

        if (!event_kind_is_merged(kind)) {
                *ret = NULL;
                return 0;
        }
        r = generalize(problem ? str_or(problem->detail, "") : "", names, &words);
        if (r < 0)
                return r;
        cause = str_printf("%s %s %s %s %u %s", event_kind_to_string(kind), str_or(ca, "-"), str_or(step, "-"), problem ? str_or(problem->type, "-") : "-",
                           problem ? problem->status : 0, words);
        if (!cause)
                return -ENOMEM;
        printable = str_printable(cause, strlen(cause), CAUSE_MAX);
        if (!printable)
                return -ENOMEM;
        *ret = printable;
        return 0;
}
