/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/reload-plan.h"

#include "base/clock.h"
#include "lib/test.h"

#define S USEC_PER_SEC
#define NOW (1000 * S)
#define NEVER UINT64_MAX

TEST(when) {
        static const struct {
                const char *what;
                ReloadPlan plan; /* without interval and most wait: 10 s and 20 s */
                uint64_t at;
        } cases[] = {
                { "nothing holds it up", { .wanted_usec = NOW, .urgent_usec = NEVER }, 0 },
                { "the last one was long ago", { .wanted_usec = NOW, .started_usec = NOW - 60 * S, .urgent_usec = NEVER }, NOW - 50 * S },
                { "the least interval", { .wanted_usec = NOW, .started_usec = NOW - 3 * S, .urgent_usec = NEVER }, NOW + 7 * S },
                { "the least interval of an urgent one", { .wanted_usec = NOW, .started_usec = NOW - S / 2 }, NOW + S / 2 },
                { "waits for what is running", { .wanted_usec = NOW - 5 * S, .urgent_usec = NEVER, .busy = true }, NOW + 15 * S },
                { "has waited the most", { .wanted_usec = NOW - 25 * S, .urgent_usec = NEVER, .busy = true }, NOW - 5 * S },
                { "urgent: waits less", { .wanted_usec = NOW, .busy = true }, NOW + 2 * S },
                { "both: the later", { .wanted_usec = NOW - 19 * S, .started_usec = NOW - 2 * S, .urgent_usec = NEVER, .busy = true }, NOW + 8 * S },
                { "calendar: waits for it", { .wanted_usec = NOW, .urgent_usec = NEVER, .on_calendar = true }, NEVER },
                { "calendar: until it is urgent", { .wanted_usec = NOW, .urgent_usec = NOW + 500 * S, .on_calendar = true }, NOW + 500 * S },
                { "calendar: urgent since some time", { .wanted_usec = NOW, .urgent_usec = NOW - S, .on_calendar = true }, 0 },
                { "calendar: urgent now", { .wanted_usec = NOW, .urgent_usec = NOW, .on_calendar = true }, 0 },
                { "calendar: it struck", { .wanted_usec = NOW - 500 * S, .urgent_usec = NEVER, .on_calendar = true, .struck = true }, 0 },
                { "calendar: it struck, and somebody is about to have another one",
                  { .wanted_usec = NOW - 5 * S, .urgent_usec = NEVER, .on_calendar = true, .struck = true, .busy = true }, NOW + 15 * S },
                { "calendar: it struck, and there was just one", { .wanted_usec = NOW, .started_usec = NOW - S, .urgent_usec = NEVER, .on_calendar = true, .struck = true },
                  NOW + 9 * S },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                ReloadPlan plan = cases[i].plan;

                plan.interval_usec = 10 * S;
                plan.max_wait_usec = 20 * S;
                test_case("%s", cases[i].what);
                CHECK_UINT(reload_plan_at(&plan, NOW), cases[i].at);
        }
}

TEST(limits_of_the_administrator_hold_for_urgent_ones_that_are_shorter) {
        ReloadPlan plan = { .wanted_usec = NOW, .started_usec = NOW, .interval_usec = 0, .max_wait_usec = 0, .busy = true };

        CHECK_UINT(reload_plan_at(&plan, NOW), NOW);
}

TEST(retries) {
        CHECK_UINT(reload_plan_retry_usec(0), 0);
        CHECK_UINT(reload_plan_retry_usec(1), 10 * S);
        CHECK_UINT(reload_plan_retry_usec(2), 20 * S);
        CHECK_UINT(reload_plan_retry_usec(9), 2560 * S);
        CHECK_UINT(reload_plan_retry_usec(10), USEC_PER_HOUR);
        CHECK_UINT(reload_plan_retry_usec(UINT32_MAX), USEC_PER_HOUR);
}
