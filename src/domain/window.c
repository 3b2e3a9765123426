/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/window.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/string-util.h"

static int parse_percent(const char *s, size_t length, Window *ret, const char **ret_why) {
        _auto_free_ char *number = strndup(s, length);
        uint32_t percent;

        if (!number || parse_uint32(number, &percent) < 0) {
                *ret_why = "the percentage is not a whole number";
                return WINDOW_E_INVALID;
        }
        if (percent < 1 || percent > 99) {
                *ret_why = "a percentage lies between 1% and 99%";
                return WINDOW_E_INVALID;
        }
        *ret = (Window){ .percent = percent };
        return WINDOW_DONE;
}

int window_parse(const char *s, Window *ret, const char **ret_why) {
        uint64_t usec;
        size_t n;

        assert(s);
        assert(ret);
        assert(ret_why);

        n = strlen(s);
        if (n > 0 && s[n - 1] == '%')
                return parse_percent(s, n - 1, ret, ret_why);
        if (parse_md_duration_usec(s, "d", &usec) < 0) {
                *ret_why = "neither a duration such as 30d or 12h nor a percentage";
                return WINDOW_E_INVALID;
        }
        if (usec == 0) {
                *ret_why = "a window cannot be empty";
                return WINDOW_E_INVALID;
        }
        *ret = (Window){ .usec = usec };
        return WINDOW_DONE;
}

char *window_format(const Window *w, char buffer[static WINDOW_STRING_MAX]) {
        static const struct {
                uint64_t usec;
                const char *unit;
        } units[] = {
                { USEC_PER_DAY, "d" }, { USEC_PER_HOUR, "h" },  { USEC_PER_MINUTE, "mi" },
                { USEC_PER_SEC, "s" }, { USEC_PER_MSEC, "ms" },
        };
        size_t i = 0;

        assert(w);

        if (!window_is_set(w)) {
                buffer[0] = 0;
                return buffer;
        }
        if (w->percent > 0) {
                (void) snprintf(buffer, WINDOW_STRING_MAX, "%u%%", w->percent);
                return buffer;
        }
        while (i + 1 < ELEMENTSOF(units) && w->usec % units[i].usec != 0)
                i++;
        /* Nothing can be written that is finer than a millisecond; a window that is set stays one. */
        (void) snprintf(buffer, WINDOW_STRING_MAX, "%" PRIu64 "%s", MAX_OF(w->usec / units[i].usec, (uint64_t) 1), units[i].unit);
        return buffer;
}

bool window_is_set(const Window *w) {
        assert(w);

        return w->percent > 0 || w->usec > 0;
}

bool window_equal(const Window *a, const Window *b) {
        assert(a);
        assert(b);

        return a->percent == b->percent && (a->percent > 0 || a->usec == b->usec);
}

uint64_t window_begin_usec(const Window *w, uint64_t not_before_usec, uint64_t not_after_usec) {
        uint64_t life, length;

        assert(w);

        life = usec_sub(not_after_usec, not_before_usec);
        if (w->percent > 0)
                length = life / 100 * w->percent + life % 100 * w->percent / 100;
        else
                length = MIN_OF(w->usec, life / 3 * 2);
        return not_after_usec - MIN_OF(length, life);
}
