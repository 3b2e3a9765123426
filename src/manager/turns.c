/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/turns.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "manager/adoption.h"
#include "manager/stall.h"

/* How long others wait at most, but for what one domain takes. */
#define SLICE_USEC (5 * USEC_PER_MSEC)

struct Turns {
        Manager *manager;
        sd_event_source *source;
        Domain *first, *last; /* waiting; linked by turn_next and turn_previous */
};

bool turns_are_over(const Turns *t) {
        return !t->first && !adoption_is_running(t->manager->adoption);
}

/* What is configured comes first: it decides what is to be looked at. */
static void step(Turns *t) {
        Domain *d = t->first;

        if (adoption_is_running(t->manager->adoption)) {
                adoption_step(t->manager->adoption);
                return;
        }
        turns_remove(t, d);
        domain_evaluate(d);
        manager_forget_unmanaged(d);
}

void turns_run(Turns *t, uint64_t budget_usec) {
        uint64_t end = usec_add(clock_monotonic_usec(), budget_usec);

        while (!turns_are_over(t)) {
                step(t);
                if (clock_monotonic_usec() >= end)
                        return;
        }
}

static int on_turn(sd_event_source *source, void *userdata) {
        Turns *t = userdata;

        turns_run(t, SLICE_USEC);
        if (!turns_are_over(t))
                return sd_event_source_set_enabled(source, SD_EVENT_ON);
        manager_kick(t->manager); /* how much is due is known now */
        stall_look(t->manager);
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

int turns_new(Manager *m, Turns **ret) {
        Turns *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;
        t->manager = m;
        r = sd_event_add_defer(m->event, &t->source, on_turn, t);
        if (r >= 0)
                r = sd_event_source_set_enabled(t->source, SD_EVENT_OFF);
        if (r >= 0) /* behind everybody who calls, before what sums up */
                r = sd_event_source_set_priority(t->source, SD_EVENT_PRIORITY_NORMAL + 10);
        if (r < 0) {
                turns_free(t);
                return r;
        }
        *ret = t;
        return 0;
}

Turns *turns_free(Turns *t) {
        if (!t)
                return NULL;
        sd_event_source_disable_unref(t->source);
        free(t);
        return NULL;
}

void turns_wake(Turns *t) {
        (void) sd_event_source_set_enabled(t->source, SD_EVENT_ON);
}

static bool is_waiting(const Turns *t, const Domain *d) {
        return d->turn_next || d->turn_previous || t->first == d;
}

void turns_add(Turns *t, Domain *d) {
        if (is_waiting(t, d))
                return;
        d->turn_previous = t->last;
        if (t->last)
                t->last->turn_next = d;
        else
                t->first = d;
        t->last = d;
        turns_wake(t);
}

void turns_add_all(Turns *t) {
        const char *name;
        Domain *d;

        MAP_FOREACH(t->manager->domains, name, d)
                turns_add(t, d);
}

void turns_remove(Turns *t, Domain *d) {
        if (!t || !is_waiting(t, d))
                return;
        if (d->turn_previous)
                d->turn_previous->turn_next = d->turn_next;
        else
                t->first = d->turn_next;
        if (d->turn_next)
                d->turn_next->turn_previous = d->turn_previous;
        else
                t->last = d->turn_previous;
        d->turn_next = d->turn_previous = NULL;
}

Domain *turns_find(Turns *t, const char *name) {
        Domain *d;

        adoption_take(t->manager->adoption, name);
        d = manager_find_domain(t->manager, name);
        if (!d || !is_waiting(t, d))
                return d;
        turns_remove(t, d);
        domain_evaluate(d);
        manager_forget_unmanaged(d);
        return manager_find_domain(t->manager, name);
}
