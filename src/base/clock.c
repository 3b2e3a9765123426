/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/string-util.h"

enum {
        YEAR_MIN = 1970,
        YEAR_MAX = 9999,
};

/* Not strftime(3) and strptime(3): those names follow the locale. */
static const char *const day_names[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const month_names[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static uint64_t now(clockid_t clock) {
        struct timespec ts;

        if (clock_gettime(clock, &ts) < 0 || ts.tv_sec < 0)
                return 0;
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

uint64_t clock_now_usec(void) {
        return now(CLOCK_REALTIME);
}

uint64_t clock_monotonic_usec(void) {
        return now(CLOCK_MONOTONIC);
}

uint64_t usec_add(uint64_t a, uint64_t b) {
        uint64_t sum;

        return __builtin_add_overflow(a, b, &sum) ? USEC_INFINITY : sum;
}

uint64_t usec_sub(uint64_t a, uint64_t b) {
        return a > b ? a - b : 0;
}

uint64_t usec_round_up(uint64_t usec) {
        uint64_t rest = usec % USEC_PER_SEC;

        return rest == 0 ? usec : usec_add(usec - rest, USEC_PER_SEC);
}

/* The readers below take a pointer to what is left and move it; false: this is not there. */

static bool take_char(const char **s, char c) {
        if (**s != c)
                return false;
        (*s)++;
        return true;
}

static bool take_text(const char **s, const char *text) {
        const char *rest = str_after_prefix(*s, text);

        if (!rest)
                return false;
        *s = rest;
        return true;
}

static bool take_number(const char **s, unsigned n_digits, int *ret) {
        int value = 0;

        for (unsigned i = 0; i < n_digits; i++) {
                char c = (*s)[i];

                if (c < '0' || c > '9')
                        return false;
                value = 10 * value + (c - '0');
        }
        *s += n_digits;
        *ret = value;
        return true;
}

static bool take_month(const char **s, struct tm *tm) {
        for (size_t i = 0; i < ELEMENTSOF(month_names); i++)
                if (take_text(s, month_names[i])) {
                        tm->tm_mon = (int) i;
                        return true;
                }
        return false;
}

static bool take_time(const char **s, struct tm *tm) {
        return take_number(s, 2, &tm->tm_hour) && take_char(s, ':') &&
                take_number(s, 2, &tm->tm_min) && take_char(s, ':') &&
                take_number(s, 2, &tm->tm_sec);
}

/* Any number of digits; what is finer than a microsecond is cut off. */
static bool take_fraction(const char **s, uint64_t *ret_usec) {
        uint64_t usec = 0, unit = USEC_PER_SEC / 10;

        if (**s < '0' || **s > '9')
                return false;
        for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
                usec += (uint64_t) (**s - '0') * unit;
        *ret_usec = usec;
        return true;
}

/* East of Greenwich is positive. */
static bool take_offset(const char **s, int64_t *ret_seconds) {
        int sign, hours, minutes;

        if (take_char(s, 'Z') || take_char(s, 'z')) {
                *ret_seconds = 0;
                return true;
        }
        if (take_char(s, '+'))
                sign = 1;
        else if (take_char(s, '-'))
                sign = -1;
        else
                return false;
        if (!take_number(s, 2, &hours) || !take_char(s, ':') || !take_number(s, 2, &minutes) || hours > 23 || minutes > 59)
                return false;
        *ret_seconds = sign * (hours * (int64_t) 3600 + minutes * (int64_t) 60);
        return true;
}

static int days_in_month(int year, int month) {
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return days[month] + (month == 1 && leap);
}

/* Expects the year as people count it in tm_year, the month from 0. */
static int finish(struct tm *tm, int64_t offset, uint64_t fraction_usec, uint64_t *ret_usec) {
        int64_t seconds;

        if (tm->tm_year < YEAR_MIN || tm->tm_year > YEAR_MAX || tm->tm_mon < 0 || tm->tm_mon > 11 ||
            tm->tm_mday < 1 || tm->tm_mday > days_in_month(tm->tm_year, tm->tm_mon) ||
            tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60)
                return -EINVAL;

        /* A leap second is the first of the next minute. */
        tm->tm_year -= 1900;
        seconds = (int64_t) timegm(tm) - offset;
        if (seconds < 0)
                return -EINVAL;
        *ret_usec = (uint64_t) seconds * USEC_PER_SEC + fraction_usec;
        return 0;
}

int clock_parse_rfc3339(const char *s, uint64_t *ret_usec) {
        uint64_t fraction_usec = 0;
        struct tm tm = {};
        int64_t offset;

        assert(ret_usec);

        if (!s)
                return -EINVAL;
        if (!take_number(&s, 4, &tm.tm_year) || !take_char(&s, '-') || !take_number(&s, 2, &tm.tm_mon) || !take_char(&s, '-') ||
            !take_number(&s, 2, &tm.tm_mday))
                return -EINVAL;
        tm.tm_mon--;
        if (!take_char(&s, 'T') && !take_char(&s, 't') && !take_char(&s, ' '))
                return -EINVAL;
        if (!take_time(&s, &tm) || (take_char(&s, '.') && !take_fraction(&s, &fraction_usec)) || !take_offset(&s, &offset) || *s)
                return -EINVAL;
        return finish(&tm, offset, fraction_usec, ret_usec);
}

/* IMF-fixdate, RFC 850 and asctime(3). The day of the week is read and not compared. */
int clock_parse_http_date(const char *s, uint64_t *ret_usec) {
        struct tm tm = {};
        bool short_name = false;
        size_t i;

        assert(ret_usec);

        if (!s)
                return -EINVAL;
        for (i = 0; i < ELEMENTSOF(day_names); i++) {
                if (take_text(&s, day_names[i]))
                        break;
                if (strncmp(s, day_names[i], 3) == 0) {
                        s += 3;
                        short_name = true;
                        break;
                }
        }
        if (i == ELEMENTSOF(day_names))
                return -EINVAL;

        if (short_name && take_text(&s, ", ")) {
                if (!take_number(&s, 2, &tm.tm_mday) || !take_char(&s, ' ') || !take_month(&s, &tm) || !take_char(&s, ' ') ||
                    !take_number(&s, 4, &tm.tm_year) || !take_char(&s, ' ') || !take_time(&s, &tm) || !take_text(&s, " GMT"))
                        return -EINVAL;
        } else if (!short_name && take_text(&s, ", ")) {
                if (!take_number(&s, 2, &tm.tm_mday) || !take_char(&s, '-') || !take_month(&s, &tm) || !take_char(&s, '-') ||
                    !take_number(&s, 2, &tm.tm_year) || !take_char(&s, ' ') || !take_time(&s, &tm) || !take_text(&s, " GMT"))
                        return -EINVAL;
                tm.tm_year += tm.tm_year < YEAR_MIN % 100 ? 2000 : 1900; /* times before 1970 cannot be meant */
        } else if (short_name && take_char(&s, ' ')) {
                if (!take_month(&s, &tm) || !take_char(&s, ' ') ||
                    !(take_char(&s, ' ') ? take_number(&s, 1, &tm.tm_mday) : take_number(&s, 2, &tm.tm_mday)) ||
                    !take_char(&s, ' ') || !take_time(&s, &tm) || !take_char(&s, ' ') || !take_number(&s, 4, &tm.tm_year))
                        return -EINVAL;
        } else
                return -EINVAL;
        if (*s)
                return -EINVAL;
        return finish(&tm, 0, 0, ret_usec);
}

/* The types say how many digits there can be; the last time that a uint64_t holds is in the year 586524. */
typedef struct Calendar {
        uint32_t year;
        uint8_t month, day, weekday, hour, minute, second;
} Calendar;

static Calendar broken_down(uint64_t usec) {
        time_t seconds = (time_t) (usec / USEC_PER_SEC);
        struct tm tm = {};

        (void) gmtime_r(&seconds, &tm);
        return (Calendar) {
                .year = (uint32_t) tm.tm_year + 1900,
                .month = (uint8_t) (tm.tm_mon + 1),
                .day = (uint8_t) tm.tm_mday,
                .weekday = (uint8_t) tm.tm_wday,
                .hour = (uint8_t) tm.tm_hour,
                .minute = (uint8_t) tm.tm_min,
                .second = (uint8_t) tm.tm_sec,
        };
}

char *clock_format_rfc3339(char buffer[static CLOCK_RFC3339_MAX], uint64_t usec) {
        Calendar c = broken_down(usec);
        char fraction[8] = "";

        if (usec % USEC_PER_SEC != 0)
                (void) snprintf(fraction, sizeof(fraction), ".%06u", (unsigned) (usec % USEC_PER_SEC) % 1000000);
        (void) snprintf(buffer, CLOCK_RFC3339_MAX, "%04" PRIu32 "-%02u-%02uT%02u:%02u:%02u%sZ",
                        c.year, c.month, c.day, c.hour, c.minute, c.second, fraction);
        return buffer;
}

char *clock_format_rfc822(char buffer[static CLOCK_RFC822_MAX], uint64_t usec) {
        Calendar c = broken_down(usec);

        (void) snprintf(buffer, CLOCK_RFC822_MAX, "%.3s, %02u %.3s %04" PRIu32 " %02u:%02u:%02u GMT",
                        day_names[c.weekday], c.day, month_names[c.month - 1], c.year, c.hour, c.minute, c.second);
        return buffer;
}

char *clock_format_utc(char buffer[static CLOCK_HUMAN_MAX], uint64_t usec) {
        Calendar c = broken_down(usec);

        if (usec == 0)
                (void) snprintf(buffer, CLOCK_HUMAN_MAX, "-");
        else if (usec == USEC_INFINITY)
                (void) snprintf(buffer, CLOCK_HUMAN_MAX, "never");
        else
                (void) snprintf(buffer, CLOCK_HUMAN_MAX, "%04" PRIu32 "-%02u-%02u %02u:%02u:%02u UTC",
                                c.year, c.month, c.day, c.hour, c.minute, c.second);
        return buffer;
}

char *clock_format_relative(char buffer[static CLOCK_HUMAN_MAX], uint64_t usec, uint64_t now_usec) {
        bool ahead = usec > now_usec;
        uint64_t distance = ahead ? usec - now_usec : now_usec - usec, n;
        const char *unit;

        if (usec == 0 || usec == USEC_INFINITY || distance < USEC_PER_SEC) {
                (void) snprintf(buffer, CLOCK_HUMAN_MAX, "%s", usec == 0 ? "-" : usec == USEC_INFINITY ? "never" : "now");
                return buffer;
        }

        if (distance < USEC_PER_MINUTE) {
                n = distance / USEC_PER_SEC;
                unit = "s";
        } else if (distance < USEC_PER_HOUR) {
                n = distance / USEC_PER_MINUTE;
                unit = "min";
        } else if (distance < USEC_PER_DAY) {
                n = distance / USEC_PER_HOUR;
                unit = "h";
        } else {
                n = distance / USEC_PER_DAY;
                unit = n == 1 ? "day" : "days";
        }
        (void) snprintf(buffer, CLOCK_HUMAN_MAX, "%s%" PRIu64 " %s%s", ahead ? "in " : "", n, unit, ahead ? "" : " ago");
        return buffer;
}

/* The greatest unit and the one below it. */
char *clock_format_timespan(char buffer[static CLOCK_HUMAN_MAX], uint64_t usec) {
        static const struct {
                const char *name;
                uint64_t usec;
        } units[] = {
                { "d", USEC_PER_DAY }, { "h", USEC_PER_HOUR }, { "min", USEC_PER_MINUTE },
                { "s", USEC_PER_SEC }, { "ms", USEC_PER_MSEC }, { "us", 1 },
        };

        if (usec == 0 || usec == USEC_INFINITY) {
                (void) snprintf(buffer, CLOCK_HUMAN_MAX, "%s", usec == 0 ? "0s" : "infinity");
                return buffer;
        }

        for (size_t i = 0; i < ELEMENTSOF(units); i++) {
                uint64_t n = usec / units[i].usec, rest = usec % units[i].usec;

                if (n == 0)
                        continue;
                if (i + 1 < ELEMENTSOF(units) && rest / units[i + 1].usec > 0)
                        (void) snprintf(buffer, CLOCK_HUMAN_MAX, "%" PRIu64 "%s %" PRIu64 "%s",
                                        n, units[i].name, rest / units[i + 1].usec, units[i + 1].name);
                else
                        (void) snprintf(buffer, CLOCK_HUMAN_MAX, "%" PRIu64 "%s", n, units[i].name);
                break;
        }
        return buffer;
}
