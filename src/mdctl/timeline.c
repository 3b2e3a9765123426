/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/timeline.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "mdctl/format.h"

enum {
        NAME_MIN = 12,
        CHART_MIN = 20,
        GAP = 2,
        TICK = 14, /* columns between two dates of the axis */
        DATE_MAX = 16,
};

typedef struct Chart {
        uint64_t from_usec, until_usec;
        size_t name_width, width; /* columns */
        bool unicode;
} Chart;

typedef enum Mark { MARK_NONE, MARK_CALM, MARK_WINDOW, MARK_RENEW, MARK_EXPIRE, _MARK_MAX } Mark;

static const struct {
        const char *plain, *unicode;
        Colour colour;
} marks[_MARK_MAX] = {
        [MARK_NONE] = { " ", " ", COLOUR_NONE },
        [MARK_CALM] = { "=", "━", COLOUR_GOOD },    /* until the renewal */
        [MARK_WINDOW] = { "-", "─", COLOUR_WARN },  /* between that and the expiry */
        [MARK_RENEW] = { "R", "◆", COLOUR_BOLD },
        [MARK_EXPIRE] = { "X", "✕", COLOUR_BAD },
};

static const char *text_of(const Chart *c, Mark mark) {
        return c->unicode ? marks[mark].unicode : marks[mark].plain;
}

/* The whole chart is the time between its ends. */
static size_t column_of(const Chart *c, uint64_t usec) {
        if (usec <= c->from_usec)
                return 0;
        return MIN_OF((size_t) ((double) (usec - c->from_usec) * (double) c->width / (double) (c->until_usec - c->from_usec)), c->width - 1);
}

static Mark mark_at(const Chart *c, const TimelineRow *row, size_t column) {
        size_t renew = column_of(c, row->renew_usec), expire = column_of(c, row->expire_usec);

        if (row->renewing && column == 0)
                return MARK_RENEW;
        if (row->expire_usec > 0 && column == expire)
                return MARK_EXPIRE;
        if (row->renew_usec > 0 && column == renew)
                return MARK_RENEW;
        if (row->expire_usec == 0 || column > expire)
                return MARK_NONE;
        return row->renew_usec > 0 && column > renew ? MARK_WINDOW : MARK_CALM;
}

static void draw_name(const char *name, size_t width) {
        size_t n = strlen(name);

        if (n <= width)
                printf("%s%s%s%*s", colour_on(COLOUR_BOLD), name, colour_off(COLOUR_BOLD), (int) (width - n) + GAP, "");
        else
                printf("%s%.*s…%s%*s", colour_on(COLOUR_BOLD), (int) width - 1, name, colour_off(COLOUR_BOLD), GAP, "");
}

static void draw_row(const Chart *c, const TimelineRow *row) {
        Mark last = MARK_NONE;

        draw_name(row->name, c->name_width);
        for (size_t i = 0; i < c->width; i++) {
                Mark mark = mark_at(c, row, i);

                if (mark != last)
                        printf("%s%s", colour_off(marks[last].colour), colour_on(marks[mark].colour));
                fputs(text_of(c, mark), stdout);
                last = mark;
        }
        printf("%s\n", colour_off(marks[last].colour));
}

static void format_date(const Chart *c, uint64_t usec, char buffer[static DATE_MAX]) {
        time_t t = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;

        if (!gmtime_r(&t, &tm) || strftime(buffer, DATE_MAX, c->until_usec - c->from_usec < 3 * USEC_PER_DAY ? "%d %H:%M" : "%Y-%m-%d", &tm) == 0)
                buffer[0] = '\0';
}

static void draw_axis(const Chart *c) {
        printf("%*s", (int) c->name_width + GAP, "");
        for (size_t i = 0; i + TICK <= c->width; i += TICK) {
                char date[DATE_MAX];

                format_date(c, c->from_usec + (uint64_t) ((double) (c->until_usec - c->from_usec) * (double) i / (double) c->width), date);
                printf("%s%s%s%*s", colour_on(COLOUR_DIM), date, colour_off(COLOUR_DIM), TICK - (int) strlen(date), "");
        }
        putchar('\n');
}

static void measure(Chart *c, const TimelineRow *rows, size_t n, size_t width) {
        size_t longest = NAME_MIN;

        c->until_usec = c->from_usec + USEC_PER_HOUR;
        for (size_t i = 0; i < n; i++) {
                longest = MAX_OF(longest, strlen(rows[i].name));
                c->until_usec = MAX_OF(c->until_usec, MAX_OF(rows[i].expire_usec, rows[i].renew_usec));
        }
        c->name_width = MAX_OF((size_t) NAME_MIN, MIN_OF(longest, width / 3));
        c->width = MAX_OF((size_t) CHART_MIN, width - MIN_OF(width, c->name_width + GAP));
}

void timeline_draw(const TimelineRow *rows, size_t n, uint64_t now_usec, size_t width, bool legend) {
        Chart c = { .from_usec = now_usec, .unicode = str_equal(nl_langinfo(CODESET), "UTF-8") };

        measure(&c, rows, n, width);
        if (legend)
                draw_axis(&c);
        for (size_t i = 0; i < n; i++)
                draw_row(&c, &rows[i]);
        if (legend)
                printf("\n%s is renewed   %s expires   from now on, in UTC\n", text_of(&c, MARK_RENEW), text_of(&c, MARK_EXPIRE));
}
