/* SPDX-License-Identifier: Apache-2.0 */
#include "status-axis.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

enum {
        TICKS_WANTED = 6, /* so many words have room in a column */
        PLACES = 10000,
};

/* A certificate of ten years must not leave a sliver of the others, and what is past matters less. */
#define REACH_BACK_USEC (120 * USEC_PER_DAY)
#define REACH_USEC (400 * USEC_PER_DAY)

void status_axis_init(StatusAxis *a, uint64_t now_usec) {
        *a = (StatusAxis){ .from_usec = now_usec, .until_usec = now_usec, .now_usec = now_usec };
}

void status_axis_include(StatusAxis *a, uint64_t from_usec, uint64_t until_usec) {
        if (from_usec == 0 || until_usec <= from_usec)
                return;
        a->from_usec = MIN_OF(a->from_usec, MAX_OF(from_usec, usec_sub(a->now_usec, REACH_BACK_USEC)));
        a->until_usec = MAX_OF(a->until_usec, MIN_OF(until_usec, usec_add(a->now_usec, REACH_USEC)));
}

void status_axis_finish(StatusAxis *a) {
        uint64_t room;

        if (a->from_usec == a->until_usec)
                status_axis_include(a, usec_sub(a->now_usec, 30 * USEC_PER_DAY), usec_add(a->now_usec, 60 * USEC_PER_DAY));
        room = MAX_OF((a->until_usec - a->from_usec) / 50, USEC_PER_MINUTE);
        a->from_usec = usec_sub(a->from_usec, room);
        a->until_usec = usec_add(a->until_usec, room);
}

unsigned status_axis_place(const StatusAxis *a, uint64_t usec) {
        if (usec <= a->from_usec)
                return 0;
        if (usec >= a->until_usec)
                return PLACES;
        return (unsigned) ((usec - a->from_usec) / MAX_OF((a->until_usec - a->from_usec) / PLACES, (uint64_t) 1));
}

/* Steps of a fixed length, from the shortest on; what takes longer goes by months. */
static uint64_t choose_step(uint64_t length_usec) {
        static const uint64_t steps[] = {
                10 * USEC_PER_MINUTE, USEC_PER_HOUR, 6 * USEC_PER_HOUR, USEC_PER_DAY, 2 * USEC_PER_DAY, 7 * USEC_PER_DAY, 14 * USEC_PER_DAY,
        };

        for (size_t i = 0; i < ELEMENTSOF(steps); i++)
                if (length_usec / steps[i] <= TICKS_WANTED)
                        return steps[i];
        return 0;
}

static size_t format_label(const struct tm *tm, uint64_t step, char buffer[static STATUS_AXIS_LABEL_MAX]) {
        if (step == 0)
                return tm->tm_mon == 0 ? strftime(buffer, STATUS_AXIS_LABEL_MAX, "%Y", tm) : strftime(buffer, STATUS_AXIS_LABEL_MAX, "%b", tm);
        if (step < USEC_PER_DAY)
                return strftime(buffer, STATUS_AXIS_LABEL_MAX, "%H:%M", tm);
        return strftime(buffer, STATUS_AXIS_LABEL_MAX, "%e %b", tm);
}

/* 'step' 0: months. False: there is no room for more. */
static bool add(const StatusAxis *a, struct tm tm, uint64_t step, StatusTick ret[static STATUS_AXIS_TICKS_MAX], size_t *n) {
        time_t t = timegm(&tm);
        uint64_t usec = t > 0 ? (uint64_t) t * USEC_PER_SEC : 0;

        if (usec >= a->until_usec || *n == STATUS_AXIS_TICKS_MAX)
                return false;
        if (usec <= a->from_usec)
                return true;
        ret[*n].place = status_axis_place(a, usec);
        if (format_label(&tm, step, ret[*n].label) > 0)
                ++*n;
        return true;
}

static size_t fixed_ticks(const StatusAxis *a, uint64_t step, StatusTick ret[static STATUS_AXIS_TICKS_MAX]) {
        uint64_t t = a->from_usec / step * step;
        size_t n = 0;
        struct tm tm;

        for (;; t += step) {
                time_t seconds = (time_t) (t / USEC_PER_SEC);

                if (!gmtime_r(&seconds, &tm) || !add(a, tm, step, ret, &n))
                        return n;
        }
}

static size_t month_ticks(const StatusAxis *a, StatusTick ret[static STATUS_AXIS_TICKS_MAX]) {
        unsigned months = (unsigned) ((a->until_usec - a->from_usec) / (30 * USEC_PER_DAY)), step = 1;
        time_t seconds = (time_t) (a->from_usec / USEC_PER_SEC);
        size_t n = 0;
        struct tm tm;

        while (months / step > TICKS_WANTED)
                step += step < 4 ? 1 : step < 6 ? 2 : 6; /* a divisor of the year, so that each year has its mark */
        if (!gmtime_r(&seconds, &tm))
                return 0;
        tm = (struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon / (int) step * (int) step, .tm_mday = 1 };
        for (;;) {
                if (!add(a, tm, 0, ret, &n))
                        return n;
                tm.tm_mon += (int) step;
                tm.tm_year += tm.tm_mon / 12;
                tm.tm_mon %= 12;
        }
}

size_t status_axis_ticks(const StatusAxis *a, StatusTick ret[static STATUS_AXIS_TICKS_MAX]) {
        uint64_t step = choose_step(a->until_usec - a->from_usec);

        return step > 0 ? fixed_ticks(a, step, ret) : month_ticks(a, ret);
}
