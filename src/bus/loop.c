/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"

enum {
        POWERS = 32,
        LINE_MAX_SIZE = POWERS * 12,
};

#define TELL_USEC (5 * USEC_PER_SEC)

typedef struct Profile {
        unsigned by_clock[POWERS], by_processor[POWERS];
        uint64_t told_usec;
} Profile;

static uint64_t processor_usec(void) {
        struct timespec ts;

        if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) < 0)
                return 0;
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static void count(unsigned counts[static POWERS], uint64_t usec) {
        unsigned power = 0;

        while (power < POWERS - 1 && usec >> (power + 1) != 0)
                power++;
        counts[power]++;
}

static void tell_counts(const char *what, unsigned counts[static POWERS]) {
        char line[LINE_MAX_SIZE];
        size_t n = 0;

        for (size_t i = 0; i < POWERS && n < sizeof(line); i++)
                n += (size_t) snprintf(line + n, sizeof(line) - n, " %u", counts[i]);
        log_info("%s:%s", what, line);
        memset(counts, 0, POWERS * sizeof(*counts));
}

static void tell(Profile *p) {
        tell_counts("Event loop iterations", p->by_clock);
        tell_counts("Event loop iterations by processor time", p->by_processor);
        p->told_usec = clock_monotonic_usec();
}

static int run_once(sd_event *event, Profile *p) {
        uint64_t clock_usec, cpu_usec;
        int r = sd_event_prepare(event);

        if (r == 0)
                r = sd_event_wait(event, UINT64_MAX);
        if (r <= 0)
                return r;
        clock_usec = clock_monotonic_usec();
        cpu_usec = processor_usec();
        r = sd_event_dispatch(event);
        count(p->by_processor, processor_usec() - cpu_usec);
        count(p->by_clock, clock_monotonic_usec() - clock_usec);
        if (clock_monotonic_usec() - p->told_usec >= TELL_USEC)
                tell(p);
        return r;
}

static int run_profiled(sd_event *event) {
        Profile p = { .told_usec = clock_monotonic_usec() };
        int r = 0, code;

        while (r >= 0 && sd_event_get_state(event) != SD_EVENT_FINISHED)
                r = run_once(event, &p);
        tell(&p);
        if (r >= 0)
                r = sd_event_get_exit_code(event, &code);
        return r < 0 ? r : code;
}

int loop_run(sd_event *event) {
        return getenv("MD_PROFILE_LOOP") ? run_profiled(event) : sd_event_loop(event);
}
