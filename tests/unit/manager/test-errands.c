/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/errands.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/test.h"

/* What became of one errand. */
typedef struct Told {
        Errands *errands;
        char *log; /* letters: W worked, D done, R released */
        pid_t loop, worked;
        struct Told *follows; /* sent when this one is done */
        int until; /* events after which the loop ends */
        sd_event *event;
} Told;

static void note(Told *t, char letter) {
        size_t n = strlen(t->log);

        t->log[n] = letter;
        t->log[n + 1] = 0;
}

static const ErrandClass told_class;

static void work(void *errand) {
        Told *t = errand;

        t->worked = gettid();
        note(t, 'W');
}

static void done(void *errand) {
        Told *t = errand;

        CHECK(gettid() == t->loop);
        note(t, 'D');
        if (t->follows)
                CHECK_INT(errands_send(t->errands, &told_class, t->follows), 0);
        else
                CHECK(sd_event_exit(t->event, 0) >= 0);
}

static void release(void *errand) {
        note(errand, 'R');
}

static const ErrandClass told_class = { .work = work, .done = done, .release = release };

TEST(worked_elsewhere_and_done_here) {
        char first_log[8] = "", second_log[8] = "";
        sd_event *event = NULL;
        Errands *errands = NULL;
        Told first, second;

        REQUIRE(sd_event_new(&event) >= 0);
        REQUIRE(CHECK_INT(errands_new(event, &errands), 0));
        second = (Told){ .errands = errands, .log = second_log, .loop = gettid(), .event = event };
        first = (Told){ .errands = errands, .log = first_log, .loop = gettid(), .event = event, .follows = &second };
        CHECK_INT(errands_send(errands, &told_class, &first), 0);
        CHECK_INT(sd_event_loop(event), 0);
        CHECK_STR(first_log, "WD");
        CHECK_STR(second_log, "WD");
        CHECK(first.worked != first.loop && second.worked == first.worked);
        CHECK(!errands_free(errands));
        sd_event_unref(event);
}

TEST(nothing_is_lost_at_the_end) {
        enum { MANY = 100 };
        static char logs[MANY][8];
        static Told told[MANY];
        sd_event *event = NULL;
        Errands *errands = NULL;

        REQUIRE(sd_event_new(&event) >= 0);
        REQUIRE(CHECK_INT(errands_new(event, &errands), 0));
        for (size_t i = 0; i < MANY; i++) {
                told[i] = (Told){ .errands = errands, .log = logs[i], .loop = gettid(), .event = event };
                CHECK_INT(errands_send(errands, &told_class, &told[i]), 0);
        }
        errands_free(errands); /* the loop never ran */
        for (size_t i = 0; i < MANY; i++) {
                test_case("errand %zu", i);
                CHECK(strcmp(logs[i], "WR") == 0 || strcmp(logs[i], "R") == 0);
        }
        CHECK(!errands_free(NULL));
        sd_event_unref(event);
}
