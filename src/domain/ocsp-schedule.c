/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/ocsp-schedule.h"

#include "base/clock.h"
#include "domain/backoff.h"

#define ASK_MAX_USEC (7 * USEC_PER_DAY)
#define RETRY_MAX_USEC USEC_PER_HOUR
#define SAID_MAX_USEC USEC_PER_DAY
#define LOOK_MAX_USEC USEC_PER_HOUR
#define LOOK_OFTEN_USEC USEC_PER_MINUTE
#define LOOK_MIN_USEC USEC_PER_SEC

/* A part of 'span' as large as 'random' is of its range, without overflow. */
static uint64_t part_of(uint64_t span, uint32_t random) {
        return span / UINT32_MAX * random + span % UINT32_MAX * random / UINT32_MAX;
}

static uint64_t begin_usec(const Window *window, uint64_t from_usec, uint64_t until_usec, uint64_t now_usec) {
        static const Window third = { .percent = 33 };
        uint64_t begin = window_begin_usec(window_is_set(window) ? window : &third, from_usec, until_usec);

        return MAX_OF(begin, usec_add(now_usec, usec_sub(until_usec, now_usec) / 3));
}

uint64_t ocsp_schedule_refresh_usec(const Window *window, uint64_t from_usec, uint64_t until_usec, uint64_t now_usec, uint32_t random) {
        uint64_t begin;

        assert(window);

        begin = begin_usec(window, from_usec, until_usec, now_usec);
        return MIN_OF(usec_add(begin, part_of(usec_sub(until_usec, begin) / 10, random)), usec_add(now_usec, ASK_MAX_USEC - part_of(ASK_MAX_USEC / 10, random)));
}

uint64_t ocsp_schedule_keep_usec(const Window *window, const OcspTimes *times, uint64_t planned_usec, uint32_t random) {
        uint64_t came, begin, earliest, latest;

        assert(window);
        assert(times);

        came = times->came_usec > 0 ? times->came_usec : times->from_usec;
        begin = begin_usec(window, times->from_usec, times->until_usec, came);
        earliest = MIN_OF(begin, usec_add(came, ASK_MAX_USEC - ASK_MAX_USEC / 10));
        latest = MIN_OF(usec_add(begin, usec_sub(times->until_usec, begin) / 10), usec_add(came, ASK_MAX_USEC));
        if (usec_add(planned_usec, USEC_PER_SEC) >= earliest && planned_usec <= usec_add(latest, USEC_PER_SEC))
                return planned_usec;
        return ocsp_schedule_refresh_usec(window, times->from_usec, times->until_usec, came, random);
}

uint64_t ocsp_schedule_retry_usec(uint64_t base_usec, unsigned errors, uint64_t said_usec, uint64_t now_usec, uint32_t random) {
        uint64_t delay = MIN_OF(backoff_delay_usec(base_usec, errors, random), RETRY_MAX_USEC), said = MIN_OF(usec_sub(said_usec, now_usec), SAID_MAX_USEC);

        return usec_add(now_usec, MAX_OF(delay, said));
}

uint64_t ocsp_schedule_check_usec(uint64_t planned_usec, uint64_t until_usec, unsigned errors, uint64_t now_usec) {
        uint64_t latest = until_usec > 0 && errors == 0 ? until_usec : usec_add(now_usec, SAID_MAX_USEC);

        return planned_usec <= latest ? planned_usec : 0;
}

bool ocsp_schedule_look_is_due(uint64_t look_usec, uint64_t now_usec) {
        return look_usec <= now_usec || look_usec > now_usec + LOOK_MAX_USEC + LOOK_MIN_USEC;
}

uint64_t ocsp_schedule_look_usec(uint64_t refresh_usec, uint64_t until_usec, uint64_t now_usec) {
        uint64_t step;

        if (until_usec <= now_usec)
                return usec_add(now_usec, LOOK_MIN_USEC);
        if (refresh_usec > now_usec) /* a reader comes late, never early: the second is what fetching takes */
                return usec_add(now_usec, MIN_OF(usec_sub(refresh_usec, now_usec) + LOOK_MIN_USEC, LOOK_MAX_USEC));
        step = MIN_OF((until_usec - now_usec) / 60, LOOK_OFTEN_USEC);
        return usec_add(now_usec, MAX_OF(step, LOOK_MIN_USEC));
}
