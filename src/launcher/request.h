/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A method call under way: it is answered exactly once, and freed with its answer. */

#include "bus/unit.h"
#include "launcher/journal-sync.h"
#include "launcher/launcher.h"

enum { REQUESTS_MAX = 512 };

struct Request {
        Request *next;
        Launcher *launcher;
        sd_bus_message *call;
        char *unit;
        UnitCall *job;     /* what systemd is doing for it */
        sd_bus_slot *slot; /* or what systemd has not answered yet */

        /* a hook */
        sd_bus_message *start;
        int (*begin)(Request *q);
        bool started; /* systemd has been asked */
        char *result; /* how its job ended */
        bool described; /* answered with what the unit was, too */
        sd_bus_message *description;
        JournalSync *sync; /* what it printed is awaited */

        /* a timer */
        char *domain; /* NULL: of none */
        uint64_t when_usec;
        char *calendar; /* of the timer for reloads; NULL: it elapses once */
        unsigned attempts;
};

/* Takes 'unit', also on failure. A request for the same unit that is still under way is answered with BUS_ERROR_BUSY: the later one counts. */
int request_new(Launcher *l, sd_bus_message *call, char *unit, Request **ret);
Request *request_free(Request *r);
DEFINE_CLEANUP(Request *, request_free)

/* Each of them ends the request. */
void request_succeed(Request *r);                     /* answers with what the method promises: the unit's name, or nothing for Cancel */
void request_fail(Request *r, const sd_bus_error *error);
void request_fail_errno(Request *r, int error);
void request_fail_with(Request *r, const char *name, const char *format, ...) _printf_(3, 4);
