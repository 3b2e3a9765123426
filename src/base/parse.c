/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parse.h"

#include <errno.h>

#include "base/clock.h"
#include "base/string-util.h"

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Reads the digits at *s and moves behind them. */
static int read_digits(const char **s, uint64_t *ret) {
        uint64_t value = 0;
        bool overflow = false;

        if (!is_digit(**s))
                return -EINVAL;
        for (; is_digit(**s); (*s)++)
                if (__builtin_mul_overflow(value, (uint64_t) 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t) (**s - '0'), &value))
                        overflow = true;
        if (overflow)
                return -ERANGE;
        *ret = value;
        return 0;
}

int parse_uint64(const char *s, uint64_t *ret) {
        uint64_t value = 0;
        int r;

        assert(ret);

        if (!s)
                return -EINVAL;
        r = read_digits(&s, &value);
        if (*s)
                return -EINVAL;
        if (r < 0)
                return r;
        *ret = value;
        return 0;
}

int parse_uint32(const char *s, uint32_t *ret) {
        uint64_t value;
        int r;

        assert(ret);

        r = parse_uint64(s, &value);
        if (r < 0)
                return r;
        if (value > UINT32_MAX)
                return -ERANGE;
        *ret = (uint32_t) value;
        return 0;
}

int parse_port(const char *s, uint16_t *ret) {
        uint64_t value;
        int r;

        assert(ret);

        r = parse_uint64(s, &value);
        if (r < 0)
                return r;
        if (value < 1 || value > UINT16_MAX)
                return -ERANGE;
        *ret = (uint16_t) value;
        return 0;
}

int parse_boolean(const char *s, bool *ret) {
        static const struct {
                const char *word;
                bool value;
        } words[] = {
                { "yes", true },  { "true", true },   { "on", true },   { "1", true },
                { "no", false },  { "false", false }, { "off", false }, { "0", false },
        };

        assert(ret);

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (str_equal_nocase(s, words[i].word)) {
                        *ret = words[i].value;
                        return 0;
                }
        return -EINVAL;
}

int parse_size(const char *s, uint64_t *ret) {
        static const char units[] = "KMGT";
        const char *unit;
        uint64_t value;
        int r;

        assert(ret);

        if (!s)
                return -EINVAL;
        r = read_digits(&s, &value);
        if (r == -EINVAL)
                return r;
        unit = *s ? strchr(units, *s) : NULL;
        if (*s && (!unit || s[1]))
                return -EINVAL;
        if (r < 0 || (unit && __builtin_mul_overflow(value, UINT64_C(1024) << (10 * (unit - units)), &value)))
                return -ERANGE;
        *ret = value;
        return 0;
}

static int find_unit(const char *word, size_t length, uint64_t *ret_usec) {
        static const struct {
                const char *word;
                uint64_t usec;
        } units[] = {
                { "", USEC_PER_SEC },
                { "us", 1 },                     { "usec", 1 },
                { "\xc2\xb5s", 1 },              { "\xce\xbcs", 1 }, /* both letters that look like a mu */
                { "ms", USEC_PER_MSEC },         { "msec", USEC_PER_MSEC },
                { "s", USEC_PER_SEC },           { "sec", USEC_PER_SEC },
                { "second", USEC_PER_SEC },      { "seconds", USEC_PER_SEC },
                { "m", USEC_PER_MINUTE },        { "min", USEC_PER_MINUTE },
                { "minute", USEC_PER_MINUTE },   { "minutes", USEC_PER_MINUTE },
                { "h", USEC_PER_HOUR },          { "hr", USEC_PER_HOUR },
                { "hour", USEC_PER_HOUR },       { "hours", USEC_PER_HOUR },
                { "d", USEC_PER_DAY },           { "day", USEC_PER_DAY },
                { "days", USEC_PER_DAY },        { "w", 7 * USEC_PER_DAY },
                { "week", 7 * USEC_PER_DAY },    { "weeks", 7 * USEC_PER_DAY },
                { "M", 2629800 * USEC_PER_SEC }, { "month", 2629800 * USEC_PER_SEC }, /* 30.44 days */
                { "months", 2629800 * USEC_PER_SEC },
                { "y", 31557600 * USEC_PER_SEC }, { "year", 31557600 * USEC_PER_SEC }, /* 365.25 days */
                { "years", 31557600 * USEC_PER_SEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strlen(units[i].word) == length && strncmp(units[i].word, word, length) == 0) {
                        *ret_usec = units[i].usec;
                        return 0;
                }
        return -EINVAL;
}

int parse_seconds_usec(const char *s, uint64_t *ret_usec) {
        uint64_t total = 0;
        bool overflow = false;

        assert(ret_usec);

        if (!s)
                return -EINVAL;
        while (is_blank(*s))
                s++;
        do {
                uint64_t value = 0, unit;
                const char *word;
                int r;

                r = read_digits(&s, &value);
                if (r == -EINVAL)
                        return r;
                overflow = overflow || r < 0;
                while (is_blank(*s))
                        s++;
                for (word = s; *s && !is_blank(*s) && !is_digit(*s);)
                        s++;
                r = find_unit(word, (size_t) (s - word), &unit);
                if (r < 0)
                        return r;
                if (__builtin_mul_overflow(value, unit, &value) || __builtin_add_overflow(total, value, &total))
                        overflow = true;
                while (is_blank(*s))
                        s++;
        } while (*s);

        if (overflow || total == USEC_INFINITY)
                return -ERANGE;
        *ret_usec = total;
        return 0;
}

/* Only the letters that tell units apart are looked at, as in mod_md: "30d" and "30days" are the same. */
static uint64_t md_unit(const char *unit) {
        switch (*unit) {
        case 'd':
        case 'D':
                return USEC_PER_DAY;
        case 'h':
        case 'H':
                return USEC_PER_HOUR;
        case 's':
        case 'S':
                return USEC_PER_SEC;
        case 'm':
        case 'M':
                if (unit[1] == 'i' || unit[1] == 'I')
                        return USEC_PER_MINUTE;
                if (unit[1] == 's' || unit[1] == 'S')
                        return USEC_PER_MSEC;
                return 0;
        default:
                return 0;
        }
}

int parse_md_duration_usec(const char *s, const char *default_unit, uint64_t *ret_usec) {
        uint64_t value = 0, unit;
        int r;

        assert(ret_usec);

        if (!s)
                return -EINVAL;
        r = read_digits(&s, &value);
        if (r == -EINVAL)
                return r;
        unit = md_unit(*s ? s : str_or(default_unit, "s"));
        if (unit == 0)
                return -EINVAL;
        if (r < 0 || __builtin_mul_overflow(value, unit, &value) || value == USEC_INFINITY)
                return -ERANGE;
        *ret_usec = value;
        return 0;
}
